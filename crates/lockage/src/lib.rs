//! Schema migrations under a lock: one replica migrates while the others wait for it.
//!
//! ```no_run
//! # async fn f() -> lockage::Result<()> {
//! let report = lockage::migrate("postgres://app@localhost/shop", "migrations").await?;
//! println!("{} applied", report.applied.len());
//! # Ok(())
//! # }
//! ```
//!
//! The first argument is a URL. The second is a folder, or a folder that [`embed!`] compiled into the program. Use [`runner`] to
//! configure the lock, the wait, progress events or cancellation.
//!
//! # Engines
//! Each engine is a feature of this crate. None is enabled by default.
//!
//! | feature | URLs | |
//! |---|---|---|
//! | `mysql` | `mysql:`, `mariadb:` | MySQL, MariaDB and Galera, with either scheme; TLS included |
//! | `postgres` | `postgres:`, `postgresql:` | TLS included; optional in `lockage-postgres` |
//! | `sqlite` | `sqlite:`, `sqlite3:` | SQLite is compiled in |
//! | `sqlserver` | `sqlserver:`, `mssql:` | SQL Server and Azure SQL; TLS included |
//!
//! Alternatively, a program depends on the crate of a backend, including third-party backends, and links it with
//! `use lockage_postgres as _;`.

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

/// Applies all pending migrations with the defaults: the lock 4006 and a wait of 60 seconds.
///
/// If no migration is pending, the call neither takes the lock nor writes. If another replica migrates, the call waits and returns
/// as soon as the database is current.
///
/// # Errors
/// Any [`ErrorKind`]. [`RunError::report`] contains the migrations that were applied before the error.
///
/// # Cancel safety
/// As for [`Runner`]: the future may be dropped at any time, which releases the lock.
pub async fn migrate(
    url: impl Into<String>,
    migrations: impl IntoMigrations,
) -> Result<Report, RunError> {
    runner(url, migrations)?.up().await
}

/// Creates a [`Runner`] with the defaults and with every backend that is linked into the program.
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
/// [`ErrorKind::InvalidConfig`] for an invalid URL and for a missing or empty folder. [`ErrorKind::UnknownBackend`] for a URL
/// scheme without a linked backend. [`ErrorKind::InvalidMigration`] for invalid files.
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
    //! Support for the macro [`embed!`](crate::embed). Not part of the public API.
    pub use crate::embed::embedded;
    pub use lockage_macros::embed;
}
