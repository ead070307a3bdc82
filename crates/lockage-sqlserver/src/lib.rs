//! SQL Server and Azure SQL for Lockage, on [`tiberius`], with TLS by rustls.
//!
//! # The lock
//! `sp_getapplock`, exclusive and owned by the session that migrates. Its resource is derived from the key:
//!
//! | key | resource |
//! |---|---|
//! | an id | the number, `4006` |
//! | a name of `A-Z a-z 0-9 _ - . :` that is not a number | the name, `orders` |
//! | any other name | `lockage#` and a part of its SHA-256 |
//!
//! Such a lock belongs to a database and to a database principal: `public`, unless the URL names another with `db_principal`.
//! The server releases it when the session ends. A host that vanished is detected by the server's keepalive, after 30 seconds
//! by default.
//!
//! A request waits in the server for up to a second, and the next one follows after a pause. More and shorter requests would
//! fill the server's log.
//!
//! Azure Synapse has no application locks. There the lock is a row in the table `lockage_lock` with a lease of 15 seconds:
//! - A session whose connection the server closed no longer renews its lease.
//! - With the permission VIEW SERVER STATE, the row of a session that ended is free immediately, and a session whose lease
//!   expired is terminated before its row is taken over.
//! - Without it, a statement outside a transaction of a run that lost its lease continues to its end: the server does not
//!   end idle sessions.
//!
//! # Scripts
//! A script is split into batches at `GO` lines. The batches run one by one in one transaction with the history row, under `SET
//! XACT_ABORT ON`. Every result of a batch is read to its end, so that no error is lost. Errors name the line of the file.
//! A procedure that ends the transaction is detected before the history is written.
//!
//! `USE`, `EXECUTE AS` and `SET` last to the end of the script and do not affect the history. Outside a transaction, `EXECUTE
//! AS` ends with its batch. Messages of the server (`PRINT`, `RAISERROR` with low severity) are reported as notices, unless the
//! program is built without tracing's debug level.
//!
//! # The session
//! Each migration starts with `QUOTED_IDENTIFIER`, `ANSI_NULLS`, `ANSI_PADDING`, `ANSI_WARNINGS`, `ARITHABORT` and
//! `CONCAT_NULL_YIELDS_NULL` on, `us_english`, and `READ COMMITTED`. `LOCK_TIMEOUT` limits how long a statement waits for a lock
//! on a table. The driver has no time limits.

mod batch;
mod cancel;
mod config;
mod connect;
mod connection;
mod dialect;
mod driver;
mod error;
mod execute;
mod foreign_lock;
mod lease_support;
mod lock;
mod notices;
mod recovery;
mod row_text;
mod script_hooks;
mod server_info;
mod server_session;
mod session_effects;
mod session_settings;
mod statement_mode;
mod transport;

use lockage_core::{Capabilities, ConnectOptions, Migration, ParsedStatement, Result};
use lockage_sql::{Connection, SqlSession};

pub use lockage_core;

use connection::SqlServerConnection;
pub use dialect::DIALECT;

const CAPABILITIES: Capabilities = Capabilities::new(true, "sp_getapplock of the session")
    .with_holder_query("SELECT * FROM sys.dm_tran_locks WHERE resource_type = 'APPLICATION'");

lockage_sql::sql_backend! {
    /// The backend for `sqlserver:` and `mssql:` URLs.
    ///
    /// A URL is `sqlserver://user:password@host:1433/database` with optional parameters: `encrypt` (`true`, `strict`, `false`),
    /// `trust_server_certificate`, `trust_server_certificate_ca`, `host_name_in_certificate`, `application_name`,
    /// `instance_name` and `db_principal`. The alternative is `sqlserver:` and an ADO connection string.
    pub const BACKEND = "lockage-sqlserver" {
        schemes: ["sqlserver", "mssql"],
        url_syntax: lockage_core::UrlSyntax::LastAt,
        capabilities: CAPABILITIES,
        dialect: DIALECT,
        open: open,
        check_statement: check_statement,
    }
}

/// Opens a connection that reads and writes rows.
///
/// It has no lock. Use [`BACKEND`] with a [`Runner`](lockage_core::Runner) to change the schema.
///
/// # Errors
/// [`InvalidConfig`](lockage_core::ErrorKind::InvalidConfig) and [`Connect`](lockage_core::ErrorKind::Connect).
pub async fn connect(options: &ConnectOptions) -> Result<impl Connection + use<>> {
    SqlServerConnection::open(options).await
}

async fn open(options: &ConnectOptions) -> Result<SqlSession<SqlServerConnection>> {
    let connection = SqlServerConnection::open(options).await?;
    Ok(SqlSession::new(connection, options.clone(), CAPABILITIES))
}

fn check_statement(migration: &Migration, statement: &ParsedStatement<'_>) -> Result<()> {
    if migration.directives().transaction {
        return Ok(());
    }
    session_effects::check(statement.text)
}
