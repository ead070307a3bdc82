//! The locks of a session: the engine's own lock, or the lock in a table.
//!
//! Where some sessions use one kind and some the other (behind a pooler and beside it), each session checks the other kind after
//! it acquired its own, and releases its own if the other is held. The later of two sessions sees the earlier one; two sessions
//! at the same moment both release.

use async_trait::async_trait;
use lockage_core::{
    ForeignLock, FoundTable, LockHolder, LockKey, LockProvider, LockStrategy, Result,
};

use crate::client_identity::applied_by;
use crate::session::{SqlConnection, SqlSession};
use crate::table_lock::{TABLE as LOCK_TABLE, TableLock};
use crate::tables::history;

impl<C: SqlConnection> SqlSession<C> {
    async fn try_table_lock(&mut self, key: &LockKey) -> Result<bool> {
        let session = self.connection.lease_session().await?;
        let schema = self.lock_schema().await?;
        let Self {
            table_lock: Some(lock),
            connection,
            ..
        } = self
        else {
            return Ok(false);
        };
        if lock.has_lease(key) {
            return lock.holds(connection, key).await;
        }
        // Checked before the attempt too, so that a waiting session writes nothing.
        if connection.native_lock_held_by_other(key).await?
            || !lock
                .try_lock(connection, schema.as_deref(), key, session)
                .await?
        {
            return Ok(false);
        }
        if connection.native_lock_held_by_other(key).await? {
            lock.unlock(connection, key).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Checks the row of the lock in a table after the session acquired the engine's own lock, and releases the own lock if
    /// another session holds the row.
    async fn release_on_conflict(&mut self, key: &LockKey) -> Result<bool> {
        if !self.connection.must_check_table_lock() {
            return Ok(true);
        }
        let schema = self.lock_schema().await?;
        let lock = TableLock::new(applied_by(self.connection.user()));
        let free = lock.is_free(&mut self.connection, schema.as_deref(), key);
        if free.await? {
            return Ok(true);
        }
        self.connection.unlock(key).await?;
        Ok(false)
    }

    /// Reads the holder of the engine's own lock or, where runs may use it, of the lock in a table.
    async fn find_holder(&mut self, key: &LockKey) -> Result<Option<LockHolder>> {
        let uses_table = self.table_lock.is_some();
        if !uses_table || self.connection.must_check_table_lock() {
            let holder = self.connection.holder(key).await?;
            if holder.is_some() {
                return Ok(holder);
            }
        }
        if !uses_table && !self.connection.must_check_table_lock() {
            return Ok(None);
        }
        let schema = self.lock_schema().await?;
        let lock = TableLock::new(String::new());
        let row = lock.holder(&mut self.connection, schema.as_deref(), key);
        let Some(mut holder) = row.await? else {
            return Ok(None);
        };
        self.connection.enrich_holder(&mut holder).await;
        Ok(Some(holder))
    }
}

#[async_trait]
impl<C: SqlConnection> LockProvider for SqlSession<C> {
    async fn try_lock(&mut self, key: &LockKey) -> Result<bool> {
        if key.as_foreign().is_some() {
            return self.connection.try_lock(key).await;
        }
        if self.table_lock.is_none() {
            match self.connection.try_lock(key).await {
                Ok(true) => return self.release_on_conflict(key).await,
                // The attempt has shown that the engine's own lock would not exclude other sessions.
                Err(_)
                    if self.options.lock_strategy == LockStrategy::Auto
                        && self.connection.default_lock_strategy() == LockStrategy::Table =>
                {
                    self.use_table_lock();
                }
                outcome => return outcome,
            }
        }
        self.try_table_lock(key).await
    }

    async fn holds(&mut self, key: &LockKey) -> Result<bool> {
        if let Self {
            table_lock: Some(lock),
            connection,
            ..
        } = self
            && key.as_foreign().is_none()
        {
            return lock.holds(connection, key).await;
        }
        self.connection.holds(key).await
    }

    async fn unlock(&mut self, key: &LockKey) -> Result<()> {
        if let Self {
            table_lock: Some(lock),
            connection,
            ..
        } = self
            && key.as_foreign().is_none()
        {
            return lock.unlock(connection, key).await;
        }
        self.connection.unlock(key).await
    }

    async fn holder(&mut self, key: &LockKey) -> Result<Option<LockHolder>> {
        if key.as_foreign().is_some() {
            return self.connection.holder(key).await;
        }
        let Some(mut holder) = self.find_holder(key).await? else {
            return Ok(None);
        };
        // The history adds what the engine does not report, once a migration outside a transaction has started.
        let running = self
            .connection
            .query(&self.history.select_running_sql())
            .await
            .unwrap_or_default();
        if let Some(running) = running.into_iter().next() {
            history::set_running_migration(&mut holder, running);
        }
        Ok(Some(holder))
    }

    fn native_lock_name(&self, key: &LockKey) -> String {
        match &self.table_lock {
            // A row of Lockage is never the lock of another tool.
            Some(_) if key.as_foreign().is_none() => format!("{LOCK_TABLE} {key}"),
            _ => self.connection.native_lock_name(key),
        }
    }

    async fn foreign_lock_keys(&mut self, lock: &ForeignLock) -> Result<Vec<LockKey>> {
        self.connection.foreign_lock_keys(lock).await
    }

    async fn find_tables(&mut self, names: &[String]) -> Result<Vec<FoundTable>> {
        self.connection.find_tables(names).await
    }

    async fn terminate_holder(&mut self, key: &LockKey, holder: &LockHolder) -> Result<()> {
        if self.table_lock.is_some() || self.connection.must_check_table_lock() {
            let native_holder = self.connection.holder(key).await?;
            if native_holder.is_none_or(|native| native.session != holder.session) {
                let schema = self.lock_schema().await?;
                return TableLock::new(String::new())
                    .terminate_holder(&mut self.connection, schema.as_deref(), key, holder)
                    .await;
            }
        }
        self.connection.terminate_holder(key, holder).await
    }
}
