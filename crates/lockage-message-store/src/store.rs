//! One message database, of the main store or of a tenant.

use std::time::Duration;

use lockage_core::{
    ConnectOptions, Error, ErrorKind, LockWait, Outcome, Report, Result, RunError, Runner,
};
use tokio::time::Instant;

use crate::auto_create::AutoCreate;
use crate::engine::Engine;
use crate::table_names::TableNames;

/// The context of an error about a script that changed.
const CHECKSUM_FILE: &str = "checksum_file";

/// How often a database is read that another process is creating.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// One message database.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    /// The tenant; `None` for the main store.
    pub(crate) tenant: Option<String>,
    pub(crate) engine: &'static dyn Engine,
    pub(crate) names: TableNames,
    pub(crate) options: ConnectOptions,
    pub(crate) runner: Runner,
    /// How long a start waits for another process that is creating the schema.
    pub(crate) wait: LockWait,
}

impl Store {
    pub(crate) async fn start(&self, mode: AutoCreate) -> Result<()> {
        let may_migrate = match mode {
            AutoCreate::None => false,
            AutoCreate::CreateOnly => {
                let missing = self.is_missing().await?;
                if !missing {
                    self.wait_for_creator().await?;
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

    /// Waits while a session holds the lock and the database is not current: another process is creating it, so it is not
    /// outdated.
    async fn wait_for_creator(&self) -> Result<()> {
        let started_at = Instant::now();
        let timed_out = || match self.wait {
            LockWait::For(limit) => started_at.elapsed() >= limit,
            LockWait::Forever => false,
            _ => true,
        };
        while self.runner.check().await.map_err(explain)?.outcome == Outcome::Pending
            && self.runner.lock_holder().await?.is_some()
            && !timed_out()
        {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    pub(crate) async fn migrate(&self) -> Result<Report, RunError> {
        let result = self.runner.up().await;
        result.map_err(|failed| failed.map_error(explain))
    }
}

/// Replaces the hint of an error about changed scripts: in a message database, the usual cause is the other identity.
pub(crate) fn explain(error: Error) -> Error {
    let scripts_differ = error.context().any(|(key, _)| key == CHECKSUM_FILE);
    if error.kind() != ErrorKind::Diverged || !scripts_differ {
        return error;
    }
    error.with_hint(
        "was it created with the other identity (id, or id and destination)? Use that identity, or run \
         `lockage message-store rebuild`, which deletes all stored messages",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_hint_is_added_only_for_changed_scripts() {
        let diverged = |text| Error::new(ErrorKind::Diverged, text).with_hint("as it was");
        let half_done = explain(diverged("a run died while a statement was running"));
        assert_eq!(half_done.hint(), Some("as it was"));
        let other = explain(diverged("changed").with_context(CHECKSUM_FILE, "0"));
        assert!(other.hint().is_some_and(|hint| hint.contains("identity")));
    }
}
