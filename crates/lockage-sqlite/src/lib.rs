//! SQLite for Lockage, on [`rusqlite`] with the bundled SQLite.
//!
//! # The lock
//! The lock is a file beside the database, `<database>-lockage-<key>.lock`, locked with the file lock of the operating system:
//! `flock` on Unix, `LockFileEx` on Windows. It excludes other processes, and the operating system releases it when its holder
//! dies. The file is never deleted. While the lock is held, the file contains the holder. On a network file system the lock is as
//! reliable as file locks are there.
//!
//! # Databases in memory
//! A database in memory exists in one process, and so does its lock. `sqlite::memory:` exists only in the session that migrates it: no
//! other connection can read what was migrated, and it is lost when the run ends. `sqlite:file:name?mode=memory&cache=shared` lasts
//! while a connection of the process uses it; open one before the run and keep it open. A run that migrates a database in memory
//! reports this as a [`Notice`](lockage_core::Event::Notice).
//!
//! # One connection for each migration
//! Each migration of a run has a connection of its own, so that it does not see settings (`PRAGMA`), attached databases, temporary
//! tables and `last_insert_rowid()` of an earlier one. The lock stays held in between.
//!
//! # Names of lock files
//! An id is written in decimal: `app.db-lockage-4006.lock`. A name is written as `n-` and the first 16 hexadecimal digits of its
//! SHA-256. Symbolic links in the path of the database are resolved first, so that one database has one lock.

mod cancel;
mod config;
mod connect;
mod connection;
mod dialect;
mod drop_table;
mod error;
mod execute;
mod foreign_keys;
mod foreign_lock;
mod last_statement;
mod lock;
mod pragma;
mod recovery;
mod statement_mode;
mod worker;

use lockage_core::{Error, ErrorKind, Location, Migration, ParsedStatement, Result};

use crate::pragma::Pragma;

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
        url_syntax: lockage_core::UrlSyntax::Path,
        capabilities: connect::CAPABILITIES,
        dialect: DIALECT,
        open: connect::open,
        check_migration: check_migration,
        check_statement: check_statement,
    }
}

/// Rejects directives that exclude each other, and functions that would describe a journal row.
fn check_migration(migration: &Migration) -> Result<()> {
    let directives = migration.directives();
    if directives.transaction {
        return Ok(());
    }
    if directives.foreign_keys {
        return last_statement::check(migration);
    }
    let error = Error::new(
        ErrorKind::InvalidMigration,
        "`foreign-keys=off` is not supported without a transaction: foreign keys would not be checked",
    );
    Err(error
        .with_location(Location::at(migration.file(), 1, 1))
        .with_hint("remove `foreign-keys=off` or `no-transaction`"))
}

/// Rejects a statement that SQLite would ignore without an error. `PRAGMA foreign_keys = ON` has the effect that it asks for,
/// because every migration starts with foreign keys.
fn check_statement(migration: &Migration, statement: &ParsedStatement<'_>) -> Result<()> {
    let directives = migration.directives();
    let is_ignored = |pragma: Pragma| pragma.name == "foreign_keys" && pragma.switches_off();
    if !directives.transaction
        || !directives.foreign_keys
        || !Pragma::parse(statement.text).is_some_and(is_ignored)
    {
        return Ok(());
    }
    let error = Error::new(
        ErrorKind::InvalidMigration,
        "SQLite ignores PRAGMA foreign_keys inside a transaction",
    );
    Err(error.with_hint(
        "add `-- lockage: foreign-keys=off` at the top of the file; the PRAGMA may stay, and foreign keys are checked before the commit",
    ))
}
