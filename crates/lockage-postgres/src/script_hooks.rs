//! SQL around the statements of a script: settings, roles, and the mode of each statement.

use async_trait::async_trait;
use lockage_core::{Migration, Result};
use lockage_sql::{Command, CommandError, MigrationContext, ScriptHooks, StatementMode};

use crate::application_name;
use crate::connection::PostgresConnection;
use crate::pool_mode::{PoolMode, requires_dedicated_session};
use crate::session_settings;
use crate::statement_mode::{
    changes_parsing, is_session_setting, leading_keywords, must_autocommit, resets_all,
};

#[async_trait]
impl ScriptHooks for PostgresConnection {
    fn allows_transaction(&self, statement: &str) -> bool {
        !must_autocommit(statement)
    }

    fn begin_migration(&mut self, migration: &MigrationContext<'_>) -> Vec<String> {
        let limit = |limit: Option<_>| limit.map_or(0, session_settings::milliseconds);
        let lock_timeout = limit(migration.ddl_lock_timeout);
        let is_shared = self.pool_mode == PoolMode::Transaction;
        let mut settings = if is_shared {
            Vec::new()
        } else {
            self.settings.clone()
        };
        settings.push((
            "statement_timeout",
            limit(migration.statement_timeout).to_string(),
        ));
        let name = application_name::format(
            self.config.application.as_deref(),
            Some(migration.migration),
        );
        self.migration_name = Some(name.clone());
        self.parsing_changed = false;
        settings.push(("application_name", name));
        if lock_timeout > 0 {
            settings.push(("lock_timeout", lock_timeout.to_string()));
        }
        if is_shared {
            self.transaction_settings =
                session_settings::transaction_settings(&settings, self.search_path.as_deref());
            return Vec::new();
        }
        self.lock_timeout = lock_timeout;
        let locks: Vec<i64> = self.held_locks.iter().copied().collect();
        session_settings::reset_session(&settings, self.schema.as_deref(), self.role(), &locks)
    }

    fn transaction_prologue(&self) -> Vec<String> {
        let mut statements = Vec::new();
        if self.lease_session.is_some() {
            // The lease is renewed while the transaction runs. With a snapshot from its start, the transaction would not see the
            // renewal, and its check of the lease would fail.
            statements.push("SET TRANSACTION ISOLATION LEVEL READ COMMITTED".to_owned());
        }
        statements.extend_from_slice(&self.transaction_settings);
        statements
    }

    fn after_begin(&self) -> Vec<String> {
        self.transaction_settings.clone()
    }

    fn before_commit(&self, _migration: &Migration) -> Vec<Command<'static>> {
        let statements = match self.pool_mode {
            PoolMode::Transaction => session_settings::restore_shared_session(),
            _ => session_settings::restore_identity(self.role()),
        };
        statements.into_iter().map(Command::internal).collect()
    }

    fn before_bookkeeping(&self) -> Vec<String> {
        match self.pool_mode {
            PoolMode::Transaction => session_settings::restore_shared_session(),
            _ => session_settings::restore_identity_local(self.role()),
        }
    }

    fn ends_call(&self, statement: &str) -> bool {
        changes_parsing(statement)
    }

    fn after_session_setting(&self, statement: &str) -> Vec<String> {
        if resets_all(&leading_keywords(statement)) && !self.settings.is_empty() {
            vec![session_settings::set_config_query(&self.settings)]
        } else {
            Vec::new()
        }
    }

    async fn statement_mode(&mut self, statement: &str) -> Result<StatementMode> {
        let autocommits = must_autocommit(statement);
        let is_setting = !autocommits && is_session_setting(&leading_keywords(statement));
        if self.pool_mode == PoolMode::Transaction {
            if is_setting {
                return Err(requires_dedicated_session(
                    "a session setting does not reach the next statement",
                ));
            }
            if autocommits && self.schema.is_some() {
                return Err(requires_dedicated_session(
                    "a statement outside a transaction cannot use the schema of the options",
                ));
            }
        }
        Ok(if autocommits {
            StatementMode::Autocommit {
                snapshot: self.reindex_snapshot(statement).await?,
            }
        } else if is_setting {
            StatementMode::SessionSetting
        } else {
            StatementMode::WithJournal
        })
    }

    async fn run_autocommit(&mut self, statement: &str) -> Result<(), CommandError> {
        self.run_outside_transaction(statement).await
    }
}
