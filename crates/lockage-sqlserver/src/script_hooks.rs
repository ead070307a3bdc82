//! Implements `ScriptHooks`: settings before a migration, and statements outside transactions.

use async_trait::async_trait;
use lockage_sql::{MigrationContext, ScriptHooks};

use crate::connection::SqlServerConnection;
use crate::session_settings::{SESSION_DEFAULTS, set_lock_timeout};
use crate::statement_mode::forbids_transaction;

#[async_trait]
impl ScriptHooks for SqlServerConnection {
    fn allows_transaction(&self, statement: &str) -> bool {
        !forbids_transaction(statement)
    }

    fn begin_migration(&mut self, migration: &MigrationContext<'_>) -> Vec<String> {
        self.statement_timeout = migration.statement_timeout;
        vec![
            SESSION_DEFAULTS.to_owned(),
            set_lock_timeout(migration.ddl_lock_timeout),
        ]
    }

    fn in_transaction(&self) -> Option<bool> {
        self.transaction_count.map(|count| count > 0)
    }
}
