//! Implements [`ScriptHooks`].

use async_trait::async_trait;
use lockage_core::Result;
use lockage_sql::{MigrationContext, ScriptHooks, StatementMode};

use crate::connection::MysqlConnection;
use crate::session_settings::{idle_timeout, migration_settings};
use crate::session_state::ScriptSessionState;
use crate::statement::{Class, classify};

#[async_trait]
impl ScriptHooks for MysqlConnection {
    fn allows_transaction(&self, statement: &str) -> bool {
        !matches!(classify(statement), Class::Ddl(_))
    }

    fn begin_migration(&mut self, migration: &MigrationContext<'_>) -> Vec<String> {
        self.statement_timeout = migration.statement_timeout;
        self.session_state = ScriptSessionState::scan(migration.migration);
        self.is_session_changed |= self.session_state.changes_session();
        let mut settings = migration_settings(migration, &self.initial_database);
        if self.session_state.has_last_insert_id() {
            settings.push("SET SESSION last_insert_id = 0".into());
        }
        settings
    }

    async fn reset_session(&mut self, _migration: &MigrationContext<'_>) -> Result<()> {
        if !self.is_session_changed {
            return Ok(());
        }
        self.restore_session().await?;
        self.is_session_changed = false;
        Ok(())
    }

    fn after_session_setting(&self, statement: &str) -> Vec<String> {
        match self.idle_timeout {
            // The script may have changed the idle timeout, which releases the lock of a holder that vanished.
            Some(_) if statement.to_ascii_lowercase().contains("_timeout") => {
                vec![idle_timeout(self.idle_timeout)]
            }
            _ => Vec::new(),
        }
    }

    async fn statement_mode(&mut self, statement: &str) -> Result<StatementMode> {
        let mode = self.mode_of(statement).await;
        self.with_classified_loss(mode).await
    }

    fn in_transaction(&self) -> Option<bool> {
        Some(self.in_transaction)
    }
}
