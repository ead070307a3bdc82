//! MySQL, MariaDB and Galera for Lockage, on [`mysql_async`] with rustls.
//!
//! # The lock
//! `GET_LOCK` on the connection that migrates, which is never one of a pool. Its name is scoped by the database, since such names are one space
//! for the whole server: `lockage:4006:shop` for an id, `lockage:=orders:shop` for a name, and `lockage#` with a part of a SHA-256 where that
//! would be too long or hold other characters than `a-z 0-9 _ - .`. The server frees it when the session ends. A holder whose host vanished
//! is noticed after 15 seconds (`wait_timeout`); a live one gives signs of life.
//!
//! On a node of a Galera or Percona XtraDB cluster `GET_LOCK` excludes nobody on the other nodes. There the lock is a row in the table
//! `lockage_lock` with a lease of 15 seconds.
//!
//! # Exactly once
//! DDL commits by itself here, so a script runs statement by statement, with a row in `lockage_journal` for each. Statements that write rows
//! share a transaction with theirs. Before a statement that commits by itself the row says what the schema looks like; when a run dies in
//! between, the next one compares, and either goes on behind the statement, or runs it again, or stops and says what there is to see.
//! User variables and prepared statements are kept in the journal too, and `SET` and `USE` are run again, so that a script may be gone on
//! with anywhere. `LOCK TABLES`, `XA` and `LOAD DATA LOCAL` are refused.
//!
//! # The session
//! `utf8mb4`, `time_zone = '+00:00'`, `REPEATABLE READ`, and `sql_mode = 'STRICT_TRANS_TABLES, NO_ZERO_IN_DATE, NO_ZERO_DATE,
//! ERROR_FOR_DIVISION_BY_ZERO, NO_ENGINE_SUBSTITUTION'`, whatever the server's own are; each migration begins with them anew. The limit on
//! waiting for tables is `lock_wait_timeout` and `innodb_lock_wait_timeout`, in whole seconds.

mod address;
mod connect;
mod connection;
mod dialect;
mod end;
mod error;
mod facts;
mod gone;
mod heartbeat;
mod keepsake;
mod kill;
mod lock;
mod lookout;
mod manner;
mod neighbour;
mod pieces;
mod schema;
mod settings;
mod statement;
#[cfg(feature = "tls")]
mod tls;
mod wire;

use lockage_core::{
    Backend, Capabilities, ConnectOptions, Error, ErrorKind, Location, LockStrategy, Migration,
    Result, Session,
};
use lockage_sql::{Connection, SqlSession};

pub use lockage_core;

use connect::Gangway;
use connection::MysqlConnection;
pub use dialect::DIALECT;

/// What this backend says of itself.
const CAPABILITIES: Capabilities = Capabilities::new(false, "GET_LOCK of the session")
    .with_holder_query("SELECT IS_USED_LOCK('lockage:4006:<database>')");

/// The backend for `mysql:` and `mariadb:` URLs; either serves both servers.
///
/// `mysql://user:password@host:3306/database`, with `ssl-mode` (`disabled`, `preferred`, `required`, `verify-ca`, `verify-identity`),
/// `ssl-ca`, `ssl-cert`, `ssl-key` and `socket` as parameters.
pub const BACKEND: Backend = Backend::new(
    "lockage-mysql",
    &["mysql", "mariadb"],
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
    MysqlConnection::open(Gangway::new(options)?, options).await
}

async fn open(options: &ConnectOptions) -> Result<Box<dyn Session>> {
    if options.lock_strategy == LockStrategy::Transaction {
        return Err(Error::new(
            ErrorKind::InvalidConfig,
            "MySQL has no lock that ends with a transaction",
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
    lockage_sql::check_script(DIALECT.syntax, false, migration, &mut |found| {
        if refused.is_none() {
            let place = || Location::at(migration.file(), found.line, 1);
            refused = statement::refuse(found.text).map(|error| error.with_location(place()));
        }
        each(found);
    })?;
    refused.map_or(Ok(()), Err)
}
