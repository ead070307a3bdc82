//! Firebird for Lockage, on the pure-Rust driver of `rsfbclient`: an example of a backend outside Lockage's own workspace.
//!
//! # The lock
//! A row of the table `lockage_lock`, written in a transaction that stays open for as long as the lock is held and is never committed. The
//! unique key refuses everybody else at once, and the server takes the transaction back when its session ends. The open transaction also
//! keeps the server from clearing away old row versions while a run lasts.
//!
//! # Statements
//! Firebird lets no statement use a table that its own transaction has made, so each statement of a script commits by itself, together with
//! its journal row. Bodies with semicolons are read where a `CREATE TRIGGER` has them directly behind `BEGIN`; other procedural code and
//! `SET TERM` are not.

mod address;
mod attachment;
mod connection;
mod dialect;
mod error;
mod lock;
mod worker;

use lockage_core::{
    Backend, Capabilities, ConnectOptions, Error, ErrorKind, Location, LockStrategy, Migration,
    Result, Session, ParsedStatement,
};
use lockage_sql::SqlSession;
use lockage_sql::script::transaction_control;

use address::Address;
use connection::FirebirdConnection;
use dialect::DIALECT;

const CAPABILITIES: Capabilities =
    Capabilities::new(false, "a row of a transaction that stays open");

/// The backend for `firebird:` URLs: `firebird://user:password@host:3050/alias`, or with two slashes an absolute path on the server.
pub const BACKEND: Backend = Backend::new(
    "lockage-firebird",
    &["firebird"],
    CAPABILITIES,
    |options| Box::pin(async move { open(options).await }),
    check_script,
);

lockage_core::register_backend!(BACKEND);

async fn open(options: &ConnectOptions) -> Result<Box<dyn Session>> {
    let address = Address::parse(&options.url)?;
    if options.schema.is_some() {
        return Err(Error::new(
            ErrorKind::InvalidConfig,
            "Firebird has no schemas",
        ));
    }
    if !matches!(
        options.lock_strategy,
        LockStrategy::Auto | LockStrategy::Advisory
    ) {
        return Err(Error::new(
            ErrorKind::InvalidConfig,
            format!(
                "this backend has no lock strategy `{}`",
                options.lock_strategy
            ),
        ));
    }
    let connection = FirebirdConnection::open(address, options).await?;
    Ok(Box::new(SqlSession::new(
        connection,
        options.clone(),
        CAPABILITIES,
    )))
}

/// Reads a script, and refuses what would end the transaction that a statement shares with its journal row.
fn check_script(migration: &Migration, each: &mut dyn FnMut(ParsedStatement<'_>)) -> Result<()> {
    let mut refused = None;
    lockage_sql::check_script(
        DIALECT.syntax,
        DIALECT.transactional_ddl,
        migration,
        &mut |statement| {
            if transaction_control(statement.text, DIALECT.syntax).is_some() {
                refused.get_or_insert(statement.line);
            }
            each(statement);
        },
    )?;
    match refused {
        Some(line) => Err(Error::new(
            ErrorKind::InvalidMigration,
            "each statement is a transaction of its own here",
        )
        .with_location(Location::at(migration.file(), line, 1))
        .with_hint("leave the statement out")),
        None => Ok(()),
    }
}
