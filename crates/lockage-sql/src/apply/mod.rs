//! How a step runs: in one transaction, statement by statement, or in the history alone.

mod bookkeeping;
mod by_statement;
mod in_transaction;
mod own_transaction;
mod record;
mod retry;
