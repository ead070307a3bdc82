//! The settings of a command, from all sources.

use std::path::PathBuf;
use std::time::Duration;

use lockage::redact::mask_secrets;
use lockage::{
    ConnectOptions, DatabaseUrl, Error, ErrorKind, ForeignLocks, LockKey, LockStrategy, LockWait,
    MigrationSet, PlanOptions, Result, Version,
};

/// The settings of a command.
pub(crate) struct Settings {
    pub(super) url: Option<DatabaseUrl>,
    pub(super) schema: Option<String>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) ddl_lock_timeout: Option<Option<Duration>>,
    pub(super) statement_timeout: Option<Option<Duration>>,
    pub(super) lock_strategy: LockStrategy,
    pub(super) out_of_order: bool,
    pub(super) strict: bool,
    /// The folder of the migrations.
    pub(crate) dir: PathBuf,
    /// The lock.
    pub(crate) lock: LockKey,
    /// The locks of other tools that a run also acquires.
    pub(crate) foreign_locks: ForeignLocks,
    /// How long to wait for the locks.
    pub(crate) wait: LockWait,
    /// Whether `up` creates a missing database.
    pub(crate) create: bool,
    /// Warnings about how the sources were combined.
    pub(crate) warnings: Vec<String>,
}

impl Settings {
    /// Returns the URL of the database, if any source has one.
    pub(crate) fn url(&self) -> Option<&DatabaseUrl> {
        self.url.as_ref()
    }

    /// Returns the URL without a password, for output.
    pub(crate) fn redacted_url(&self) -> Option<String> {
        self.url
            .as_ref()
            .map(|url| mask_secrets(&url.to_string()).into_owned())
    }

    /// Returns the connect options. `create` stays false; commands that may create the database set it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] if no source has a URL.
    pub(crate) fn connect_options(&self) -> Result<ConnectOptions> {
        let url = self.url.clone().ok_or_else(no_url)?;
        let mut options = ConnectOptions::for_url(url);
        options.schema.clone_from(&self.schema);
        options.lock_strategy = self.lock_strategy;
        if let Some(timeout) = self.connect_timeout {
            options.connect_timeout = timeout;
        }
        if let Some(timeout) = self.ddl_lock_timeout {
            options.ddl_lock_timeout = timeout;
        }
        if let Some(timeout) = self.statement_timeout {
            options.statement_timeout = timeout;
        }
        Ok(options)
    }

    /// Returns the plan options.
    pub(crate) fn plan_options(&self, to: Option<Version>, steps: Option<usize>) -> PlanOptions {
        let mut options = PlanOptions::default();
        options.to = to;
        options.steps = steps;
        options.out_of_order = self.out_of_order;
        options.strict = self.strict;
        options
    }

    /// Reads the migrations of the folder.
    pub(crate) fn migrations(&self) -> Result<MigrationSet> {
        MigrationSet::from_folder(&self.dir)
    }
}

fn no_url() -> Error {
    Error::new(ErrorKind::InvalidConfig, "no database URL is set").with_hint(
        "set it with --url, DATABASE_URL, a .env file, or `url` in lockage.toml: sqlite:app.db, postgres://user@host/database",
    )
}
