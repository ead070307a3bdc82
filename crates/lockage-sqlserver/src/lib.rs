//! SQL Server and Azure SQL for Lockage, on [`tiberius`], with TLS by rustls.
//!
//! # The lock
//! `sp_getapplock`, exclusive and owned by the session, on the connection that migrates. Its resource is the key: `4006` for an id, `orders`
//! for a name of `A-Z a-z 0-9 _ - . :` that is no number, and `lockage#` with a part of a SHA-256 for any other name. Such locks belong to a
//! database and to a database principal: `public`, unless the URL names another with `db_principal`. The server frees it when the session
//! ends; whose host vanished, the server notices by its own keepalive, 30 seconds by default.
//!
//! Each try waits in the server for up to a second, and the next one comes after a pause: many short requests would fill the log.
//!
//! Where there are no application locks, as on Azure Synapse, the lock is a row in the table `lockage_lock` with a lease of 15 seconds. The
//! server ends no session for its silence. A session on which the server hung up renews its lease no more. Where the server shows its
//! sessions to the user (VIEW SERVER STATE), the row of such a session is free as soon as it is gone, and one whose lease ran out is ended
//! before its row is taken. Elsewhere a statement outside a transaction whose run lost its lease goes on to its end.
//!
//! # Scripts
//! Divided into batches at `GO` lines, which run one by one in one transaction with the history row, under `SET XACT_ABORT ON`. Every result
//! of a batch is read to its end, so no error is lost; its line is told as the file's. Procedures that end the transaction are found out
//! before the history is written. `USE`, `EXECUTE AS` and `SET` last to the end of the script and do not reach the history; outside a
//! transaction `EXECUTE AS` ends with its batch. What the server says (`PRINT`, `RAISERROR` of little severity) is told, unless the
//! program is built with tracing's debug level left out.
//!
//! # The session
//! `QUOTED_IDENTIFIER`, `ANSI_NULLS`, `ANSI_PADDING`, `ANSI_WARNINGS`, `ARITHABORT` and `CONCAT_NULL_YIELDS_NULL` on, `us_english`, `READ
//! COMMITTED`: each migration begins with them anew. The limit on waiting for tables is `LOCK_TIMEOUT`. The driver has no time limits.

mod address;
mod cancel;
mod connect;
mod connection;
mod convoy;
mod dialect;
mod error;
mod facts;
mod lock;
mod manner;
mod neighbour;
mod notices;
mod settings;
mod standing;
mod trace;
mod transport;
mod value;
mod wire;

use lockage_core::{
    Backend, Capabilities, ConnectOptions, Error, ErrorKind, Location, LockStrategy, Migration,
    Result, Session,
};
use lockage_sql::{Connection, SqlSession};

pub use lockage_core;

use connect::Gangway;
use connection::SqlServerConnection;
pub use dialect::DIALECT;

/// What this backend says of itself.
const CAPABILITIES: Capabilities = Capabilities::new(true, "sp_getapplock of the session")
    .with_holder_query("SELECT * FROM sys.dm_tran_locks WHERE resource_type = 'APPLICATION'");

/// The backend for `sqlserver:` and `mssql:` URLs.
///
/// `sqlserver://user:password@host:1433/database`, with `encrypt` (`true`, `strict`, `false`), `trust_server_certificate`,
/// `trust_server_certificate_ca`, `host_name_in_certificate`, `application_name`, `instance_name` and `db_principal` as parameters; or
/// `sqlserver:` and an ADO string.
pub const BACKEND: Backend = Backend::new(
    "lockage-sqlserver",
    &["sqlserver", "mssql"],
    CAPABILITIES,
    |options| Box::pin(open(options)),
    check_script,
);

lockage_core::register_backend!(BACKEND);

/// Opens a connection for rows. It has no lock: what changes the schema goes through [`BACKEND`] and a
/// [`Runner`](lockage_core::Runner).
///
/// # Errors
/// [`ErrorKind::InvalidConfig`] and [`ErrorKind::Connect`].
pub async fn connect(options: &ConnectOptions) -> Result<impl Connection + use<>> {
    SqlServerConnection::open(Gangway::new(options)?, options).await
}

async fn open(options: &ConnectOptions) -> Result<Box<dyn Session>> {
    if options.lock_strategy == LockStrategy::Transaction {
        return Err(Error::new(
            ErrorKind::InvalidConfig,
            "SQL Server's lock is the session's, not a transaction's",
        )
        .with_hint("leave --lock-strategy out, or make it advisory or table"));
    }
    Ok(Box::new(SqlSession::new(
        connect(options).await?,
        options.clone(),
        CAPABILITIES,
    )))
}

fn check_script(migration: &Migration, each: &mut dyn FnMut(lockage_core::ParsedStatement<'_>)) -> Result<()> {
    let mut refused = None;
    lockage_sql::check_script(DIALECT.syntax, true, migration, &mut |found| {
        if refused.is_none() && !migration.directives().transaction {
            let place = || Location::at(migration.file(), found.line, 1);
            refused = trace::refuse(found.text).map(|error| error.with_location(place()));
        }
        each(found);
    })?;
    refused.map_or(Ok(()), Err)
}
