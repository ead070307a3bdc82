//! Applies a step: in one transaction, statement by statement, or in the history alone.

mod autocommit;
mod history_only;
mod lost_session;
mod progress;
mod script_transaction;
mod statement;
mod transactional;
