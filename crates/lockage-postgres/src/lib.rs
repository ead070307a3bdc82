//! PostgreSQL 13 and later for Lockage, on [`tokio_postgres`](https://docs.rs/tokio-postgres).
//!
//! # URLs
//! `postgres://user:password@host:5432/database?parameter=value`, or `postgresql:`. Without a host it is `localhost`. Several hosts
//! are tried in order; with `target_session_attrs=read-write` the primary among them is found. Parameters are those of libpq that
//! tokio-postgres knows, and
//! - `sslmode`: `disable`, `prefer` (the default), `require`, `verify-ca`, `verify-full`;
//! - `role`: a role that the session takes in place of that of the login, as by `SET ROLE`; what migrations make is its;
//! - `sslrootcert`: a PEM file with the authorities that are trusted, or `system`, the default, for those of the operating system. As
//!   with libpq, a file makes `require` as strict as `verify-ca`.
//!
//! TLS is made by rustls with ring, with the feature `tls`, which is on unless it is turned off.
//!
//! # The lock
//! A session-level advisory lock, taken by `pg_try_advisory_lock` in a statement of its own and never waited for inside the server: a
//! session that waits there holds a snapshot, on which the holder's `CREATE INDEX CONCURRENTLY` would wait in turn. Lock and scripts
//! share one connection, and each transaction that writes begins with a look into `pg_locks`.
//!
//! The session asks the server to notice within seconds when its host vanishes. A pooler in transaction mode is found out before the
//! lock is asked for; a row in a table with a lease serves there instead, and the two kinds of lock exclude each other.
//!
//! # Numbers of locks
//! Frozen: an id is the number that the lock functions take as `bigint`; a name is the first eight bytes, big-endian, of the SHA-256 of
//! `lockage:` and the name. The lock belongs to the database of the URL.

mod address;
mod application;
mod backend_pid;
mod bare;
mod concurrent;
mod connect;
mod connection;
mod dialect;
mod end;
mod error;
mod holder;
mod home;
mod index;
mod key;
mod link;
mod lock;
mod marked;
mod message;
mod neighbour;
mod pooler;
mod settings;
mod standing;
mod tls;

use lockage_core::{
    Backend, Capabilities, ConnectOptions, Error, ErrorKind, Location, Migration, Result, Session,
    ParsedStatement,
};
use lockage_sql::{Connection, SqlSession};

pub use lockage_core;

pub use dialect::DIALECT;

/// What this backend says of itself.
const CAPABILITIES: Capabilities = Capabilities::new(true, "a session-level advisory lock").with_holder_query(
    "SELECT a.* FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted",
);

/// The backend for `postgres:` and `postgresql:` URLs.
pub const BACKEND: Backend = Backend::new(
    "lockage-postgres",
    &["postgres", "postgresql"],
    CAPABILITIES,
    |options| {
        Box::pin(async move {
            let connection = connect::connect(options).await?;
            Ok(
                Box::new(SqlSession::new(connection, options.clone(), CAPABILITIES))
                    as Box<dyn Session>,
            )
        })
    },
    check_script,
);

lockage_core::register_backend!(BACKEND);

/// Opens a connection for rows. It has no lock: what changes the schema goes through [`BACKEND`] and a
/// [`Runner`](lockage_core::Runner).
///
/// # Errors
/// [`ErrorKind::InvalidConfig`] and [`ErrorKind::Connect`].
pub async fn connect(options: &ConnectOptions) -> Result<impl Connection + use<>> {
    connect::connect(options).await
}

/// Reads a script, and refuses what the server, or the way that a script is run, could never do.
fn check_script(migration: &Migration, each: &mut dyn FnMut(ParsedStatement<'_>)) -> Result<()> {
    let mut refused = None;
    lockage_sql::check_script(
        DIALECT.syntax,
        DIALECT.transactional_ddl,
        migration,
        &mut |statement| {
            if refused.is_none() {
                refused = refuse(migration, statement);
            }
            each(statement);
        },
    )?;
    refused.map_or(Ok(()), Err)
}

fn refuse(migration: &Migration, statement: ParsedStatement<'_>) -> Option<Error> {
    let error = if bare::copies_to_client(statement.text) {
        connection::copies_to_client()
    } else if let Some(error) = bare::breaks_the_run(&bare::words(statement.text)) {
        error
    } else if migration.directives().transaction
        && bare::is_refused_in_transaction(&bare::words(statement.text))
    {
        let words: Vec<_> = statement.text.split_whitespace().take(3).collect();
        Error::new(ErrorKind::InvalidMigration, format!("{} … cannot run in a transaction", words.join(" ")))
            .with_hint("put `-- lockage: no-transaction` at the head of the file; then each statement commits by itself")
    } else {
        return None;
    };
    let line = statement.text.lines().next().unwrap_or_default();
    Some(
        error.with_location(Location::at(migration.file(), statement.line, 1).with_line_text(line)),
    )
}
