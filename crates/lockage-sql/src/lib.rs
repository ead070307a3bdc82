//! Everything that is equal on all SQL engines, implemented once: the history table, the statement journal, running a script in
//! a transaction or statement by statement, resuming, and the lock in a table.
//!
//! An engine's crate implements four traits for its connection type:
//!
//! | trait | what it is for | required methods |
//! |---|---|---|
//! | [`Connection`] | run SQL, hold the engine's own lock | `dialect`, `query`, `execute`, `ensure_schema`, `canceller`, `close` |
//! | [`ScriptHooks`] | SQL around the statements of a script | `allows_transaction` |
//! | [`Recovery`] | statements whose outcome is unknown, session state | none |
//! | [`LeaseSupport`] | the lock in a table | none |
//!
//! [`SqlSession`] turns such a type into a [`Session`](lockage_core::Session), and [`sql_backend!`] registers the engine.

mod apply;
mod backend;
mod client_identity;
mod command;
mod connection;
mod dialect;
mod error_table;
mod errors;
pub mod foreign_lock_ids;
mod internal_commands;
mod lease_support;
mod recovery;
mod retry;
mod script_hooks;
mod session;
mod session_lock;
mod statement_reader;
mod table_lock;
mod tables;
#[cfg(feature = "tls")]
pub mod tls;

pub use lockage_script as script;

pub use backend::check_script;
pub use client_identity::client_host;
pub use command::{
    AssertionError, Command, CommandError, ErrorPosition, FailureCause, Notice, Row,
};
pub use connection::Connection;
pub use dialect::{Clock, Dialect, create_if_not_exists, double_quoted, single_quoted};
pub use error_table::KnownError;
pub use errors::{cancelled_error, lock_not_held_error, timeout_error};
pub use lease_support::{DisconnectProbe, LeaseSession, LeaseSupport};
pub use recovery::{Recovery, Resolution, SessionEffect};
pub use script_hooks::{MigrationContext, ScriptHooks, StatementMode};
pub use session::{SqlConnection, SqlSession};
pub use table_lock::TABLE as LOCK_TABLE;
pub use tables::history::TABLE as HISTORY_TABLE;
pub use tables::journal::TABLE as JOURNAL_TABLE;

#[doc(hidden)]
pub mod __private {
    //! Used by [`sql_backend!`](crate::sql_backend).
    pub use lockage_core::{Backend, Session, register_backend};
}
