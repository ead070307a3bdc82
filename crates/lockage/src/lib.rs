//! Schema migrations under a lock: however many replicas start at once, one migrates, and the others wait in sight of it.
//!
//! ```no_run
//! # async fn f() -> lockage::Result<()> {
//! let report = lockage::migrate("postgres://app@localhost/shop", "migrations").await?;
//! println!("{} applied", report.applied.len());
//! # Ok(())
//! # }
//! ```
//!
//! The first argument is a URL, the second a folder, or the folder that [`embed!`] put into the program. [`runner`] is for whoever
//! wants another lock, another wait, an observer or a clean stop.
//!
//! # Engines
//! None is linked by default: name what you need as a feature of this crate.
//!
//! | feature | URLs | |
//! |---|---|---|
//! | `mysql` | `mysql:`, `mariadb:` | either serves MySQL, MariaDB and Galera; TLS included |
//! | `postgres` | `postgres:`, `postgresql:` | TLS included; `lockage-postgres` alone can do without |
//! | `sqlite` | `sqlite:`, `sqlite3:` | SQLite is compiled in |
//! | `sqlserver` | `sqlserver:`, `mssql:` | SQL Server and Azure SQL; TLS included |
//!
//! A program may instead name the crate of a backend, of ours or of anybody else's, once: `use lockage_postgres as _;`.

mod embed;
mod migrations;

pub use lockage_core::*;
#[cfg(feature = "mysql")]
pub use lockage_mysql as mysql;
#[cfg(feature = "postgres")]
pub use lockage_postgres as postgres;
#[cfg(feature = "sqlite")]
pub use lockage_sqlite as sqlite;
#[cfg(feature = "sqlserver")]
pub use lockage_sqlserver as sqlserver;
pub use migrations::IntoMigrations;

/// Brings a database up to its migrations, with the defaults: the lock 4006, a wait of 60 seconds, everything that is pending.
///
/// Where nothing is pending, neither the lock nor anything else is touched. Where another replica migrates, this call waits and
/// returns as soon as the database is current.
///
/// # Errors
/// Of every [`ErrorKind`]; [`RunError::report`] says what was applied before.
///
/// # Cancel safety
/// As [`Runner`]: dropped at any time, the future leaves no lock behind.
pub async fn migrate(url: impl Into<String>, migrations: impl IntoMigrations) -> Result<Report, RunError> {
    runner(url, migrations)?.up().await
}

/// A [`Runner`] with the defaults and with every backend that is linked into the program.
///
/// ```no_run
/// # async fn f() -> lockage::Result<()> {
/// use std::time::Duration;
///
/// let report = lockage::runner("sqlite:app.db", "migrations")?
///     .lock_key(lockage::LockKey::named("shop")?)
///     .wait(lockage::LockWait::For(Duration::from_secs(300)))
///     .connect_options(|options| options.create = true)
///     .up()
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`ErrorKind::InvalidConfig`] for a text that is no URL and for a folder that is missing or empty,
/// [`ErrorKind::UnknownBackend`], [`ErrorKind::InvalidMigration`] for mistakes in files.
pub fn runner(url: impl Into<String>, migrations: impl IntoMigrations) -> Result<Runner> {
    let registry = Registry::linked()?;
    let connect = ConnectOptions::new(url)?;
    registry.find(connect.url.scheme())?;
    Ok(Runner::new(
        registry,
        connect,
        migrations.into_migrations()?,
    ))
}

#[doc(hidden)]
pub mod __private {
    //! What [`embed!`](crate::embed) needs. Not for use by hand.
    pub use crate::embed::embedded;
    pub use lockage_macros::embed;
}
