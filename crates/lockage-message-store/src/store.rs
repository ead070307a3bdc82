use std::time::Duration;

use lockage_core::{
    ConnectOptions, Error, ErrorKind, LockHolder, LockWait, Outcome, Report, Result, RunError, Runner,
};
use tokio::time::Instant;

use crate::auto_create::AutoCreate;
use crate::builder::Builder;
use crate::each::{Migrated, OfStore, all};
use crate::engine::Engine;
use crate::place::Place;

/// What the error about a script that changed tells besides.
const CHECKSUM_FILE: &str = "checksum_file";

/// The pause between two looks at what another process is making.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A message database, and those of its tenants. Cheap to clone.
///
/// What changes the schema holds the migration lock; everything else does not. Every call goes to the main store and to all tenants, side by
/// side; one that fails does not stop the others, and its error names it.
///
/// # Cancel safety
/// Every future may be dropped at any time: the sessions are closed, the servers free their locks and take back what is not committed. To
/// see an error and the end of the work instead, use [`Builder::interrupt`].
#[derive(Debug, Clone)]
pub struct MessageStore {
    /// The main store first.
    pub(crate) stores: Vec<OneStore>,
    pub(crate) auto_create: AutoCreate,
    pub(crate) dead_letter_expiry: Option<Duration>,
}

/// One message database.
#[derive(Debug, Clone)]
pub(crate) struct OneStore {
    /// Its tenant; `None` for the main store.
    pub(crate) tenant: Option<String>,
    pub(crate) engine: &'static dyn Engine,
    pub(crate) place: Place,
    pub(crate) options: ConnectOptions,
    pub(crate) runner: Runner,
    /// How long what others are making is waited for.
    pub(crate) wait: LockWait,
}

impl MessageStore {
    /// A builder with the defaults.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder::new(url.into())
    }

    /// Does what the [`AutoCreate`] mode says: for the start of a program.
    ///
    /// # Errors
    /// As [`assert_current`](Self::assert_current) or as [`migrate`](Self::migrate).
    pub async fn start(&self) -> Result<()> {
        let mode = self.auto_create;
        let started = self.each(move |store| async move { store.start(mode).await });
        all(started.await).map(drop)
    }

    /// Brings every store up to this program, whatever the [`AutoCreate`] mode is: calling it is intent enough. Where nothing is
    /// pending, neither lock nor anything else is touched.
    ///
    /// # Errors
    /// Of every kind, one for each store that failed: the first, with the others as [`Error::related`]. The others are migrated all the
    /// same; [`migrate_each`](Self::migrate_each) tells of them.
    pub async fn migrate(&self) -> Result<Migrated> {
        all(self.migrate_each().await).map(Migrated::of)
    }

    /// The same, with what became of each store.
    pub async fn migrate_each(&self) -> Vec<OfStore<Report>> {
        self.each(|store| async move { store.migrate().await })
            .await
    }

    /// Drops every table of the message database and makes it anew, with the lock held from the first drop to the last creation. What
    /// is stored is lost.
    ///
    /// # Errors
    /// As [`migrate`](Self::migrate).
    pub async fn rebuild(&self) -> Result<Migrated> {
        all(self.rebuild_each().await).map(Migrated::of)
    }

    /// The same, with what became of each store.
    pub async fn rebuild_each(&self) -> Vec<OfStore<Report>> {
        self.each(|store| async move { store.runner.rebuild().await })
            .await
    }

    /// Says whether every store is there and current.
    ///
    /// # Errors
    /// [`ErrorKind::NotCurrent`], which names what is missing or outdated and the command that mends it;
    /// [`ErrorKind::Diverged`] for a database that was made otherwise, and whatever keeps us from looking.
    pub async fn assert_current(&self) -> Result<()> {
        all(self.assert_current_each().await).map(drop)
    }

    /// The same, with what became of each store.
    pub async fn assert_current_each(&self) -> Vec<OfStore<()>> {
        self.each(|store| async move { store.assert_current().await })
            .await
    }

    /// Who holds the migration lock of the main store; `None` when nobody does.
    ///
    /// # Errors
    /// Whatever keeps us from looking.
    pub async fn lock_holder(&self) -> Result<Option<LockHolder>> {
        match self.stores.first() {
            Some(main) => main.runner.lock_holder().await,
            None => Ok(None),
        }
    }
}

impl OneStore {
    async fn start(&self, mode: AutoCreate) -> Result<()> {
        let may_migrate = match mode {
            AutoCreate::None => false,
            AutoCreate::CreateOnly => {
                let missing = self.is_missing().await?;
                if !missing {
                    self.let_finish().await?;
                }
                missing
            }
            AutoCreate::CreateOrUpdate => true,
        };
        if may_migrate {
            self.migrate().await?;
        }
        self.assert_current().await
    }

    /// Waits while somebody holds the lock over a database that is not current: what another process is making just now is not outdated.
    async fn let_finish(&self) -> Result<()> {
        let begun = Instant::now();
        let is_over = || match self.wait {
            LockWait::For(limit) => begun.elapsed() >= limit,
            LockWait::Forever => false,
            _ => true,
        };
        while self.runner.check().await.map_err(explain)?.outcome == Outcome::Pending
            && self.runner.lock_holder().await?.is_some()
            && !is_over()
        {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    pub(crate) async fn migrate(&self) -> Result<Report, RunError> {
        let done = self.runner.up().await;
        done.map_err(|failed| failed.map_error(explain))
    }
}

/// Says in the words of a message database why history and scripts contradict each other.
pub(crate) fn explain(error: Error) -> Error {
    let is_of_other_scripts = error.context().any(|(key, _)| key == CHECKSUM_FILE);
    if error.kind() != ErrorKind::Diverged || !is_of_other_scripts {
        return error;
    }
    error.with_hint(
        "was it made with the other identity (id, or id and destination)? Then use that one, or lose what is stored with \
         `lockage message-store rebuild`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_about_the_identity_stands_where_scripts_differ_and_nowhere_else() {
        let diverged = |text| Error::new(ErrorKind::Diverged, text).with_hint("as it was");
        let half_done = explain(diverged("a run died while a statement was under way"));
        assert_eq!(half_done.hint(), Some("as it was"));
        let other = explain(diverged("changed").with_context(CHECKSUM_FILE, "0"));
        assert!(other.hint().is_some_and(|hint| hint.contains("identity")));
    }
}
