//! The message store: a main database and those of the tenants.

use std::time::Duration;

use lockage_core::{LockHolder, Report, Result};

use crate::auto_create::AutoCreate;
use crate::fan_out::{StoreReport, StoreResult, collect_results, run_all};
use crate::store::Store;

/// A message database, and those of its tenants. Cloning is cheap.
///
/// Methods that change the schema hold the migration lock; all others do not take it. Each method runs on the main store and on
/// all tenants in parallel. A store that fails does not stop the others; its error names the tenant.
///
/// # Cancel safety
/// Every future may be dropped at any time. The sessions are closed; the servers release their locks and roll back uncommitted
/// changes. Use [`Builder::interrupt`](crate::Builder::interrupt) to stop with an error and wait for the end instead.
#[derive(Debug, Clone)]
pub struct MessageStore {
    /// The main store is the first.
    pub(crate) stores: Vec<Store>,
    pub(crate) auto_create: AutoCreate,
    pub(crate) dead_letter_expiry: Option<Duration>,
}

impl MessageStore {
    /// Prepares the database for a program that starts, as the [`AutoCreate`] mode allows.
    ///
    /// # Errors
    /// As [`assert_current`](Self::assert_current) or as [`migrate`](Self::migrate).
    pub async fn start(&self) -> Result<()> {
        let mode = self.auto_create;
        let started = run_all(
            &self.stores,
            move |store| async move { store.start(mode).await },
        );
        collect_results(started.await).map(drop)
    }

    /// Applies pending migrations to every store. The [`AutoCreate`] mode does not matter, because the call is explicit. If no
    /// migration is pending, it neither takes the lock nor writes.
    ///
    /// # Errors
    /// Any kind. The error of the first store that failed, with the others as [`Error::related`](crate::Error::related). The
    /// other stores are migrated. Use [`migrate_each`](Self::migrate_each) for their reports.
    pub async fn migrate(&self) -> Result<StoreReport> {
        StoreReport::from_results(self.migrate_each().await)
    }

    /// Applies pending migrations to every store and returns the result of each.
    pub async fn migrate_each(&self) -> Vec<StoreResult<Report>> {
        run_all(&self.stores, |store| async move { store.migrate().await }).await
    }

    /// Drops every table of the message database and creates it again. The lock is held from the first drop to the last
    /// creation. All stored messages are lost.
    ///
    /// # Errors
    /// As [`migrate`](Self::migrate).
    pub async fn rebuild(&self) -> Result<StoreReport> {
        StoreReport::from_results(self.rebuild_each().await)
    }

    /// Drops and creates every store and returns the result of each.
    pub async fn rebuild_each(&self) -> Vec<StoreResult<Report>> {
        run_all(
            &self.stores,
            |store| async move { store.runner.rebuild().await },
        )
        .await
    }

    /// Checks that every store exists and is current.
    ///
    /// # Errors
    /// [`ErrorKind::NotCurrent`](crate::ErrorKind::NotCurrent) names what is missing or outdated and the command to run.
    /// [`ErrorKind::Diverged`](crate::ErrorKind::Diverged) if the database was created by other scripts. Other kinds if a
    /// database cannot be read.
    pub async fn assert_current(&self) -> Result<()> {
        collect_results(self.assert_current_each().await).map(drop)
    }

    /// Checks every store and returns the result of each.
    pub async fn assert_current_each(&self) -> Vec<StoreResult<()>> {
        run_all(
            &self.stores,
            |store| async move { store.assert_current().await },
        )
        .await
    }

    /// Returns the holder of the main store's migration lock; `None` if the lock is free.
    ///
    /// # Errors
    /// Any kind, if the database cannot be read.
    pub async fn lock_holder(&self) -> Result<Option<LockHolder>> {
        match self.stores.first() {
            Some(main) => main.runner.lock_holder().await,
            None => Ok(None),
        }
    }
}
