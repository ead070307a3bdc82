//! Firebird for Lockage, on the pure-Rust driver of `rsfbclient`: an example of a backend outside Lockage's workspace.
//!
//! # The lock
//! A row of the table `lockage_lock`. It is inserted in a transaction that stays open while the lock is held and is never
//! committed. The unique key rejects other sessions immediately, and the server rolls the transaction back when its session
//! ends. While it is open, the server does not remove old row versions.
//!
//! # Statements
//! In Firebird, a statement cannot use a table that its own transaction created. So each statement of a script commits by itself,
//! together with its journal row. A `CREATE TRIGGER` may contain semicolons if its body begins with `BEGIN`. Other procedural
//! code and `SET TERM` are not supported.

mod attachment;
mod cancel;
mod config;
mod connection;
mod dialect;
mod error;
mod lock;
mod worker;

use lockage_core::{
    Capabilities, ConnectOptions, Error, ErrorKind, LockStrategy, Migration, ParsedStatement,
    Result,
};
use lockage_sql::SqlSession;
use lockage_sql::script::transaction_control;

use config::ConnectConfig;
use connection::FirebirdConnection;
use dialect::DIALECT;

const CAPABILITIES: Capabilities =
    Capabilities::new(false, "a row of a transaction that stays open");

lockage_sql::sql_backend! {
    /// The backend for `firebird:` URLs: `firebird://user:password@host:3050/alias`. Two slashes before the alias make it an
    /// absolute path on the server.
    pub const BACKEND = "lockage-firebird" {
        schemes: ["firebird"],
        capabilities: CAPABILITIES,
        dialect: DIALECT,
        open: open,
        check_statement: check_statement,
    }
}

async fn open(options: &ConnectOptions) -> Result<SqlSession<FirebirdConnection>> {
    let config = ConnectConfig::parse(&options.url)?;
    if options.schema.is_some() {
        return Err(Error::new(
            ErrorKind::InvalidConfig,
            "Firebird has no schemas",
        ));
    }
    match options.lock_strategy {
        LockStrategy::Auto | LockStrategy::Advisory => {}
        strategy => {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                format!("this backend does not support the lock strategy `{strategy}`"),
            ));
        }
    }
    let connection = FirebirdConnection::open(config, options).await?;
    Ok(SqlSession::new(connection, options.clone(), CAPABILITIES))
}

/// Rejects a statement that ends the transaction that it shares with its journal row.
fn check_statement(_migration: &Migration, statement: &ParsedStatement<'_>) -> Result<()> {
    match transaction_control(statement.text, DIALECT.syntax) {
        None => Ok(()),
        Some(_) => Err(Error::new(
            ErrorKind::InvalidMigration,
            "each statement commits by itself",
        )
        .with_hint("remove the statement")),
    }
}
