//! SQLite for Lockage, on [`rusqlite`] with the bundled SQLite.
//!
//! # The lock
//! A file beside the database, `<database>-lockage-<key>.lock`, locked with the operating system's own file lock (`flock` on Unix,
//! `LockFileEx` on Windows). It works between processes and is freed when its holder dies, however it dies. The file stays; while the
//! lock is held it tells by whom. Databases on network file systems are as safe as their file locks are.
//!
//! A database in memory lives in one process, and so does its lock.
//!
//! # Names of lock files
//! An id is written in decimal: `app.db-lockage-4006.lock`. A name is written as `n-` and the first 16 hexadecimal digits of its
//! SHA-256. The database's path is resolved first, so links lead to one lock.

mod address;
mod connection;
mod dialect;
mod error;
mod lock;
mod neighbour;
mod worker;

use lockage_core::{
    Backend, Capabilities, ConnectOptions, Error, ErrorKind, Location, LockStrategy, Migration,
    Result, Session, ParsedStatement,
};
use lockage_sql::script::leading_words;
use lockage_sql::{Connection, SqlSession};

pub use lockage_core;

use address::Address;
use connection::SqliteConnection;
pub use dialect::DIALECT;

/// What this backend says of itself.
const CAPABILITIES: Capabilities = Capabilities::new(true, "a file lock beside the database");

/// The backend for `sqlite:` URLs.
///
/// `sqlite:app.db`, `sqlite:///var/lib/app.db`, `sqlite:app.db?mode=ro`, `sqlite::memory:`,
/// `sqlite:file:name?mode=memory&cache=shared`.
pub const BACKEND: Backend = Backend::new(
    "lockage-sqlite",
    &["sqlite", "sqlite3"],
    CAPABILITIES,
    |options| Box::pin(async move { open(options) }),
    check_script,
);

lockage_core::register_backend!(BACKEND);

/// Opens a connection for rows. It has no lock: what changes the schema goes through [`BACKEND`] and a
/// [`Runner`](lockage_core::Runner).
///
/// # Errors
/// [`ErrorKind::InvalidConfig`] for a URL that makes no sense. A file that is missing is no error until it is read.
pub fn connect(options: &ConnectOptions) -> Result<impl Connection + use<>> {
    SqliteConnection::start(Address::parse(&options.url)?)
}

/// Reads a script, and refuses what SQLite would ignore without a word.
fn check_script(migration: &Migration, each: &mut dyn FnMut(ParsedStatement<'_>)) -> Result<()> {
    let directives = migration.directives();
    let wrong = |line, message: &str, hint: &str| {
        Error::new(ErrorKind::InvalidMigration, message)
            .with_location(Location::at(migration.file(), line, 1))
            .with_hint(hint)
    };
    if !directives.transaction && !directives.foreign_keys {
        return Err(wrong(
            1,
            "`foreign-keys=off` without a transaction: nothing would check the keys behind it",
            "leave one of the two directives out",
        ));
    }
    let mut ignored = None;
    lockage_sql::check_script(dialect::DIALECT.syntax, true, migration, &mut |statement| {
        let words = leading_words(statement.text, dialect::DIALECT.syntax, 2);
        if directives.transaction
            && words.len() == 2
            && words[0] == "PRAGMA"
            && words[1] == "FOREIGN_KEYS"
        {
            ignored.get_or_insert(statement.line);
        }
        each(statement);
    })?;
    match ignored {
        Some(line) => Err(wrong(
            line,
            "SQLite ignores PRAGMA foreign_keys inside a transaction",
            "put `-- lockage: foreign-keys=off` at the head of the file, which also checks the keys before the commit",
        )),
        None => Ok(()),
    }
}

fn open(options: &ConnectOptions) -> Result<Box<dyn Session>> {
    let address = Address::parse(&options.url)?;
    if let Some(schema) = options
        .schema
        .as_deref()
        .filter(|schema| *schema != dialect::SCHEMA)
    {
        return Err(Error::new(
            ErrorKind::InvalidConfig,
            format!("SQLite has no schema `{schema}`"),
        )
        .with_hint("leave --schema out"));
    }
    if !matches!(
        options.lock_strategy,
        LockStrategy::Auto | LockStrategy::Advisory
    ) {
        let strategy = options.lock_strategy;
        return Err(Error::new(
            ErrorKind::InvalidConfig,
            format!(
                "SQLite has no lock strategy `{strategy}`: its lock is a file beside the database"
            ),
        )
        .with_hint("leave --lock-strategy out, or make it auto or advisory"));
    }
    address.prepare_folder(options.create)?;
    let capabilities = if address.is_file() {
        CAPABILITIES
    } else {
        CAPABILITIES.single_process()
    };
    let mut options = options.clone();
    options.schema = Some(dialect::SCHEMA.into());
    let connection = SqliteConnection::start(address)?;
    Ok(Box::new(SqlSession::new(connection, options, capabilities)))
}
