//! What is the same on every SQL engine, written once: the history table, the statement journal, how a script runs in a
//! transaction or statement by statement, and how a script is split.
//!
//! An engine's crate writes a [`Connection`] and a [`Dialect`]; [`SqlSession`] makes the session of them that
//! [`lockage_core`] drives.

mod again;
mod apply;
mod connection;
mod dialect;
mod history;
mod identity;
mod journal;
mod known_error;
mod locking;
pub mod neighbour;
pub use lockage_script as script;
mod session;
mod statements;
mod table_lock;

pub use connection::{
    FailureCause, Connection, DisconnectProbe, CommandError, StatementMode, Notice, Command, ErrorPosition, AssertionError, Row, Resolution, MigrationContext,
};
pub use dialect::{Dialect, create_if_not_exists, double_quoted, single_quoted};
pub use history::TABLE as HISTORY_TABLE;
pub use identity::client_host;
pub use journal::TABLE as JOURNAL_TABLE;
pub use known_error::KnownError;
pub use session::SqlSession;
pub use statements::check_script;
pub use table_lock::TABLE as LOCK_TABLE;
