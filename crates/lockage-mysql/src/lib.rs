//! MySQL, MariaDB and Galera for Lockage, with [`mysql_async`] and rustls.
//!
//! # The lock
//! The connection that migrates holds a lock of `GET_LOCK`. It is never a connection of a pool. All databases of a server share one
//! namespace of locks, so the name contains the database: `lockage:4006:shop` for an id, `lockage:=orders:shop` for a name, and
//! `lockage#` with a part of a SHA-256 if that would be too long or would contain other characters than `a-z 0-9 _ - .`. The server
//! releases the lock when the session ends. A holder whose host vanished is detected after 15 seconds (`wait_timeout`); a live holder
//! sends pings.
//!
//! On a node of a Galera or Percona XtraDB cluster, `GET_LOCK` does not exclude sessions on the other nodes. There the lock is a row
//! in the table `lockage_lock`, with a lease of 15 seconds.
//!
//! # Exactly once
//! DDL commits by itself on these servers, so a script runs statement by statement, each with a row in `lockage_journal`. A statement
//! that writes rows shares a transaction with its journal row. Before a statement that commits by itself, the journal row records the
//! schema. When a run dies during the statement, the next run compares the schemas. Then it continues after the statement, repeats it,
//! or stops and reports what it found.
//!
//! The journal also stores user variables and prepared statements, and `SET` and `USE` run again, so a script can be resumed after any
//! statement. `LOCK TABLES`, `XA` and `LOAD DATA LOCAL` are rejected.
//!
//! # The session
//! The session uses `utf8mb4`, `time_zone = '+00:00'`, `REPEATABLE READ`, and `sql_mode = 'STRICT_TRANS_TABLES, NO_ZERO_IN_DATE,
//! NO_ZERO_DATE, ERROR_FOR_DIVISION_BY_ZERO, NO_ENGINE_SUBSTITUTION'`, whatever the server's own settings are. They are reset before
//! each migration. The limit for waiting for tables is set with `lock_wait_timeout` and `innodb_lock_wait_timeout`, in whole seconds.

mod batch;
mod cancel;
mod config;
mod connect;
mod connection;
mod dialect;
mod disconnect;
mod driver;
mod driver_panic;
mod error;
mod foreign_lock;
mod hex;
mod keepalive;
mod lease_support;
mod liveness;
mod lock;
mod recovery;
mod schema;
mod schema_code;
mod script_check;
mod script_hooks;
mod server_info;
mod session_reset;
mod session_settings;
mod session_state;
mod shared_driver;
mod statement;
mod statement_mode;
#[cfg(feature = "tls")]
mod tls;
mod value_kind;

use lockage_core::{Capabilities, ConnectOptions, Migration, ParsedStatement, Result};
use lockage_sql::{Connection, SqlSession};

pub use lockage_core;

use connect::Connector;
use connection::MysqlConnection;
pub use dialect::DIALECT;

const CAPABILITIES: Capabilities = Capabilities::new(false, "GET_LOCK of the session")
    .with_holder_query("SELECT IS_USED_LOCK('lockage:4006:<database>')");

lockage_sql::sql_backend! {
    /// The backend for `mysql:` and `mariadb:` URLs. Either scheme serves both servers.
    ///
    /// The URL is `mysql://user:password@host:3306/database`. Its parameters are `ssl-mode` (`disabled`, `preferred`, `required`,
    /// `verify-ca`, `verify-identity`), `ssl-ca`, `ssl-cert`, `ssl-key` and `socket`.
    pub const BACKEND = "lockage-mysql" {
        schemes: ["mysql", "mariadb"],
        url_syntax: lockage_core::UrlSyntax::LastAt,
        capabilities: CAPABILITIES,
        dialect: DIALECT,
        open: open,
        check_migration: script_check::check_implicit_transactions,
        check_statement: check_statement,
    }
}

/// Opens a connection that reads and writes rows. It cannot hold a lock: changes of the schema go through [`BACKEND`] and a
/// [`Runner`](lockage_core::Runner).
///
/// # Errors
/// [`ErrorKind::InvalidConfig`](lockage_core::ErrorKind::InvalidConfig) and [`ErrorKind::Connect`](lockage_core::ErrorKind::Connect).
pub async fn connect(options: &ConnectOptions) -> Result<impl Connection + use<>> {
    MysqlConnection::open(Connector::new(options)?, options).await
}

async fn open(options: &ConnectOptions) -> Result<SqlSession<MysqlConnection>> {
    let connection = MysqlConnection::open(Connector::new(options)?, options).await?;
    Ok(SqlSession::new(connection, options.clone(), CAPABILITIES))
}

fn check_statement(_migration: &Migration, statement: &ParsedStatement<'_>) -> Result<()> {
    statement::check_supported(statement.text)
}
