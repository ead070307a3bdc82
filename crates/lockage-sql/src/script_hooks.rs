//! The trait [`ScriptHooks`]: what an engine adds around the statements of a script.

use std::time::Duration;

use async_trait::async_trait;
use lockage_core::{ConnectOptions, Migration, Result};

use crate::command::{Command, CommandError};
use crate::connection::Connection;

/// SQL that an engine runs before, inside and after the transactions of a script. Only
/// [`allows_transaction`](Self::allows_transaction) is required.
///
/// # Cancel safety
/// As for [`Connection`].
#[async_trait]
pub trait ScriptHooks: Connection {
    /// Returns whether a statement of a script without a transaction may share one with its journal row.
    fn allows_transaction(&self, statement: &str) -> bool;

    /// Starts a migration and returns the SQL that runs once before it: time limits, a name in the server's list of sessions,
    /// and a reset of what the previous migration set.
    fn begin_migration(&mut self, _migration: &MigrationContext<'_>) -> Vec<String> {
        Vec::new()
    }

    /// Restores the session to its state at the start, after another migration ran in it: settings, variables, temporary tables,
    /// prepared statements, cursors. The lock must stay held.
    ///
    /// Called before [`begin_migration`](Self::begin_migration), except for the first migration of a session. `migration` is the
    /// next one.
    async fn reset_session(&mut self, _migration: &MigrationContext<'_>) -> Result<()> {
        Ok(())
    }

    /// Returns the SQL that runs first in each transaction that Lockage begins for statements of a script: settings that the
    /// engine cannot set for the session.
    fn transaction_prologue(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns the SQL that runs directly after a BEGIN of the script, in the same call.
    ///
    /// It must not contain a query: the next statement of the script may be SET TRANSACTION.
    fn after_begin(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns what runs at the end of a script's transaction, before the history is written: it restores the role and the
    /// settings of the session, and checks what the script left.
    fn before_commit(&self, _migration: &Migration) -> Vec<Command<'static>> {
        Vec::new()
    }

    /// Returns the SQL that runs in an internal transaction before history or journal rows are written, while settings of a
    /// script without a transaction are to stay in effect: it restores the role of the session until the transaction ends.
    fn before_bookkeeping(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns whether the statements after this one must be sent in another call, in a script that runs in a transaction.
    ///
    /// An engine that parses a whole call before it runs the first statement needs this after a statement that changes how SQL
    /// is parsed.
    fn ends_call(&self, _statement: &str) -> bool {
        false
    }

    /// Returns the SQL that runs directly after a statement that only changes session settings: it restores settings that
    /// Lockage needs.
    fn after_session_setting(&self, _statement: &str) -> Vec<String> {
        Vec::new()
    }

    /// Returns how a statement of a script without a transaction commits together with its journal row. Called directly before
    /// the statement runs.
    async fn statement_mode(&mut self, statement: &str) -> Result<StatementMode> {
        Ok(if self.allows_transaction(statement) {
            StatementMode::WithJournal
        } else {
            StatementMode::Autocommit { snapshot: None }
        })
    }

    /// Runs one statement of a script outside a transaction.
    ///
    /// An engine overrides it where such a statement can fail half way and needs a clean-up, such as an index that was built
    /// concurrently and is invalid.
    async fn run_autocommit(&mut self, statement: &str) -> Result<(), CommandError> {
        self.execute(&[Command::Script(statement)], &mut |_| {})
            .await
    }

    /// Returns whether a transaction is open, according to the server's last reply; `None` where the server does not report
    /// it.
    fn in_transaction(&self) -> Option<bool> {
        None
    }
}

/// A migration that is about to run, with its time limits; see [`ScriptHooks::begin_migration`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct MigrationContext<'a> {
    /// The migration.
    pub migration: &'a Migration,
    /// The maximum duration of one statement; `None` for no limit.
    pub statement_timeout: Option<Duration>,
    /// The maximum time that a statement waits for a lock on a table; `None` for no limit.
    pub ddl_lock_timeout: Option<Duration>,
}

impl<'a> MigrationContext<'a> {
    /// Directives of the file take precedence over the options.
    pub(crate) fn new(migration: &'a Migration, options: &ConnectOptions) -> Self {
        let directives = migration.directives();
        Self {
            migration,
            statement_timeout: directives.statement_timeout.or(options.statement_timeout),
            ddl_lock_timeout: directives.ddl_lock_timeout.or(options.ddl_lock_timeout),
        }
    }
}

/// How a statement commits together with its journal row; see [`ScriptHooks::statement_mode`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatementMode {
    /// In one transaction with its journal row.
    WithJournal,
    /// By itself, between a journal row that says `started` and the update of that row to `done`.
    Autocommit {
        /// The schema before the statement, for [`Recovery::resolve`](crate::Recovery::resolve).
        snapshot: Option<String>,
    },
    /// It only changes session settings. It is not journaled; a run that resumes after it runs it again.
    SessionSetting,
}
