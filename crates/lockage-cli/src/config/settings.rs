use std::path::PathBuf;
use std::time::Duration;

use lockage::{
    ForeignLocks, ConnectOptions, DatabaseUrl, Error, ErrorKind, LockKey, LockStrategy, LockWait,
    MigrationSet, PlanOptions, Result, Version,
};

use crate::output::redact::redact;

/// What was set, in all places together.
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
    /// Whose locks are taken besides.
    pub(crate) align: ForeignLocks,
    /// How long to wait for them.
    pub(crate) wait: LockWait,
    /// Whether a missing database is made.
    pub(crate) create: bool,
    /// What the user should know of how these came about.
    pub(crate) warnings: Vec<String>,
}

impl Settings {
    /// The database, where one is named.
    pub(crate) fn url(&self) -> Option<&DatabaseUrl> {
        self.url.as_ref()
    }

    /// The same as outputs show it, without a password.
    pub(crate) fn shown_url(&self) -> Option<String> {
        self.url
            .as_ref()
            .map(|url| redact(&url.to_string()).into_owned())
    }

    /// How to connect. A database is made by the command that may, never from here.
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

    /// How to plan.
    pub(crate) fn plan_options(&self, to: Option<Version>, steps: Option<usize>) -> PlanOptions {
        let mut options = PlanOptions::default();
        options.to = to;
        options.steps = steps;
        options.out_of_order = self.out_of_order;
        options.strict = self.strict;
        options
    }

    /// The migrations of the folder.
    pub(crate) fn migrations(&self) -> Result<MigrationSet> {
        MigrationSet::from_folder(&self.dir)
    }
}

fn no_url() -> Error {
    Error::new(ErrorKind::InvalidConfig, "no database is named").with_hint(
        "name it with --url, DATABASE_URL, a .env file, or `url` in lockage.toml: sqlite:app.db, postgres://user@host/database",
    )
}
