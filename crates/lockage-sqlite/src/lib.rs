//! SQLite for Lockage, on [`rusqlite`] with the bundled SQLite.
//!
//! # The lock
//! The lock is a file beside the database, `<database>-lockage-<key>.lock`, locked with the file lock of the operating system:
//! `flock` on Unix, `LockFileEx` on Windows. It excludes other processes, and the operating system releases it when its holder
//! dies. The file is never deleted. While the lock is held, the file contains the holder. On a network file system the lock is as
//! reliable as file locks are there.
//!
//! A database in memory exists in one process, and so does its lock.
//!
//! # Names of lock files
//! An id is written in decimal: `app.db-lockage-4006.lock`. A name is written as `n-` and the first 16 hexadecimal digits of its
//! SHA-256. Symbolic links in the path of the database are resolved first, so that one database has one lock.

mod cancel;
mod config;
mod connect;
mod connection;
mod dialect;
mod error;
mod execute;
mod foreign_lock;
mod lock;
mod recovery;
mod statement_mode;
mod worker;

use lockage_core::{Error, ErrorKind, Location, Migration, ParsedStatement, Result};
use lockage_sql::script::leading_words;

pub use connect::connect;
pub use dialect::DIALECT;
pub use lockage_core;

lockage_sql::sql_backend! {
    /// The backend for `sqlite:` URLs.
    ///
    /// `sqlite:app.db`, `sqlite:///var/lib/app.db`, `sqlite:app.db?mode=ro`, `sqlite::memory:`,
    /// `sqlite:file:name?mode=memory&cache=shared`.
    pub const BACKEND = "lockage-sqlite" {
        schemes: ["sqlite", "sqlite3"],
        capabilities: connect::CAPABILITIES,
        dialect: DIALECT,
        open: connect::open,
        check_migration: check_migration,
        check_statement: check_statement,
    }
}

/// Rejects two directives that exclude each other.
fn check_migration(migration: &Migration) -> Result<()> {
    let directives = migration.directives();
    if directives.transaction || directives.foreign_keys {
        return Ok(());
    }
    let error = Error::new(
        ErrorKind::InvalidMigration,
        "`foreign-keys=off` is not supported without a transaction: foreign keys would not be checked",
    );
    Err(error
        .with_location(Location::at(migration.file(), 1, 1))
        .with_hint("remove `foreign-keys=off` or `no-transaction`"))
}

/// Rejects a statement that SQLite would ignore without an error.
fn check_statement(migration: &Migration, statement: &ParsedStatement<'_>) -> Result<()> {
    let words = leading_words(statement.text, DIALECT.syntax, 2);
    if !migration.directives().transaction || words != ["PRAGMA", "FOREIGN_KEYS"] {
        return Ok(());
    }
    let error = Error::new(
        ErrorKind::InvalidMigration,
        "SQLite ignores PRAGMA foreign_keys inside a transaction",
    );
    Err(error.with_hint(
        "add `-- lockage: foreign-keys=off` at the top of the file; foreign keys are then checked before the commit",
    ))
}
