//! The Lockage backend for PostgreSQL 13 and later, on [`tokio_postgres`](https://docs.rs/tokio-postgres).
//!
//! # URLs
//! `postgres://user:password@host:5432/database?parameter=value`, or `postgresql:`. The default host is `localhost`. Several
//! hosts are tried in order; `target_session_attrs=read-write` selects the primary among them. The parameters are those of
//! libpq that tokio-postgres supports, and
//! - `sslmode`: `disable`, `prefer` (the default), `require`, `verify-ca`, `verify-full`;
//! - `role`: a role that the session uses instead of the login role, as with `SET ROLE`; it owns what migrations create;
//! - `sslrootcert`: a PEM file with the trusted certificate authorities, or `system` (the default) for those of the operating
//!   system. As in libpq, a file makes `require` as strict as `verify-ca`.
//!
//! The feature `tls`, on by default, provides TLS by rustls with ring.
//!
//! # The lock
//! The lock is a session-level advisory lock. `pg_try_advisory_lock` acquires it in a statement of its own and never waits inside
//! the server: a waiting session holds a snapshot, and the `CREATE INDEX CONCURRENTLY` of the lock's holder would wait for that
//! snapshot. Lock and scripts share one connection, and each transaction that writes first checks `pg_locks`.
//!
//! The session's settings make the server notice within seconds that the client's host has vanished. A pooler in transaction
//! mode is detected before the lock is requested; a row with a lease in a table serves there instead. The two kinds of lock
//! exclude each other.
//!
//! # Lock ids
//! Frozen: a key with an id uses that id as the `bigint` of the lock functions; a key with a name uses the first eight bytes,
//! big-endian, of the SHA-256 of `lockage:` and the name. The lock belongs to the database of the URL.

mod application_name;
mod backend_pid;
mod cancel;
mod concurrent_index;
mod config;
mod connect;
mod connection;
mod detach_partition;
mod dialect;
mod driver;
mod error;
mod foreign_lock;
mod history_schema;
mod index;
mod lease_support;
mod lock;
mod no_tls;
mod pool_mode;
mod progress_markers;
mod recovery;
mod script_hooks;
mod server_info;
mod server_session;
mod session_effects;
mod session_settings;
mod simple_query;
mod standby;
mod statement_mode;
mod tls;
mod transaction_block;

use lockage_core::{Capabilities, ConnectOptions, Migration, ParsedStatement, Result};
use lockage_sql::{Connection, SqlSession};

use crate::connection::PostgresConnection;

pub use lockage_core;

pub use dialect::DIALECT;

/// The capabilities of this backend.
const CAPABILITIES: Capabilities = Capabilities::new(true, "a session-level advisory lock").with_holder_query(
    "SELECT a.* FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted",
);

lockage_sql::sql_backend! {
    /// The backend for `postgres:` and `postgresql:` URLs.
    pub const BACKEND = "lockage-postgres" {
        schemes: ["postgres", "postgresql"],
        url_syntax: lockage_core::UrlSyntax::FirstAt,
        capabilities: CAPABILITIES,
        dialect: DIALECT,
        open: open,
        check_migration: transaction_block::check_migration,
        check_statement: check_statement,
    }
}

/// Opens a connection that reads and writes rows. It has no lock: schema changes go through [`BACKEND`] and a
/// [`Runner`](lockage_core::Runner).
///
/// # Errors
/// [`ErrorKind::InvalidConfig`](lockage_core::ErrorKind::InvalidConfig) and
/// [`ErrorKind::Connect`](lockage_core::ErrorKind::Connect).
pub async fn connect(options: &ConnectOptions) -> Result<impl Connection + use<>> {
    connect::connect(options).await
}

async fn open(options: &ConnectOptions) -> Result<SqlSession<PostgresConnection>> {
    let connection = connect::connect(options).await?;
    Ok(SqlSession::new(connection, options.clone(), CAPABILITIES))
}

/// Rejects a statement that the server, or the way in which the script runs, can never execute.
fn check_statement(migration: &Migration, statement: &ParsedStatement<'_>) -> Result<()> {
    if statement_mode::is_copy_to_stdout(statement.text) {
        return Err(statement_mode::copy_to_stdout_error());
    }
    let keywords = statement_mode::leading_keywords(statement.text);
    if let Some(error) = statement_mode::rejection(&keywords) {
        return Err(error);
    }
    if migration.directives().transaction {
        if statement_mode::forbids_transaction(&keywords) {
            return Err(statement_mode::needs_autocommit_error(statement.text));
        }
        if statement_mode::changes_isolation(&keywords) {
            return Err(statement_mode::isolation_error());
        }
    }
    Ok(())
}
