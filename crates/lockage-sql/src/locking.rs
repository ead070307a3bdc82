//! Which lock a session takes: the engine's own, or a row in a table.
//!
//! Where some sessions may use the one kind and some the other (behind a pooler and beside it), each looks for the other kind behind its own
//! try, and gives its own back when there is one: whoever comes second sees the first, and two at the same moment both step back.

use async_trait::async_trait;
use lockage_core::{
    FoundTable, LockHolder, LockKey, LockProvider, LockStrategy, ForeignLock, Result,
};

use crate::SqlSession;
use crate::connection::Connection;
use crate::history;
use crate::identity::applied_by;
use crate::table_lock::{TABLE as LOCK_TABLE, TableLock};

impl<C: Connection> SqlSession<C> {
    async fn try_table_lock(&mut self, key: &LockKey) -> Result<bool> {
        self.connection.prepare_table_lock().await?;
        let schema = self.lock_schema().await?;
        let Self {
            table_lock: Some(lock),
            connection,
            ..
        } = self
        else {
            return Ok(false);
        };
        if lock.has_claim(key) {
            return lock.holds(connection, key).await;
        }
        // Looked at first as well, so that a waiter writes nothing.
        if connection.native_lock_held_by_other(key).await?
            || !lock.try_lock(connection, schema.as_deref(), key).await?
        {
            return Ok(false);
        }
        if connection.native_lock_held_by_other(key).await? {
            lock.unlock(connection, key).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Looks for a row behind a try that got the engine's own lock.
    async fn or_step_back(&mut self, key: &LockKey) -> Result<bool> {
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
}

#[async_trait]
impl<C: Connection> LockProvider for SqlSession<C> {
    async fn try_lock(&mut self, key: &LockKey) -> Result<bool> {
        if key.as_foreign().is_some() {
            return self.connection.try_lock(key).await;
        }
        if self.table_lock.is_none() {
            match self.connection.try_lock(key).await {
                Ok(true) => return self.or_step_back(key).await,
                // The try has shown that the engine's own lock would exclude nobody.
                Err(_)
                    if self.options.lock_strategy == LockStrategy::Auto
                        && self.connection.default_lock_strategy() == LockStrategy::Table =>
                {
                    self.lock_in_table();
                }
                refused => return refused,
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
        let in_table = self.table_lock.is_some();
        let mut holder = None;
        if !in_table || self.connection.must_check_table_lock() {
            holder = self.connection.holder(key).await?;
        }
        if holder.is_none() && (in_table || self.connection.must_check_table_lock()) {
            let schema = self.lock_schema().await?;
            let lock = TableLock::new(String::new());
            let row = lock.holder(&mut self.connection, schema.as_deref(), key);
            if let Some(mut told) = row.await? {
                self.connection.enrich_holder(&mut told).await;
                holder = Some(told);
            }
        }
        let Some(mut holder) = holder else {
            return Ok(None);
        };
        // What the engine does not tell, the history does as soon as a migration outside a transaction has begun.
        let running = self
            .connection
            .query(&self.history.select_running())
            .await
            .unwrap_or_default();
        if let Some(running) = running.into_iter().next() {
            history::tell_running(&mut holder, running);
        }
        Ok(Some(holder))
    }

    fn native_lock_name(&self, key: &LockKey) -> String {
        match &self.table_lock {
            // A row of ours is nobody else's lock.
            Some(_) if key.as_foreign().is_none() => format!("{LOCK_TABLE} {key}"),
            _ => self.connection.native_lock_name(key),
        }
    }

    async fn foreign_lock_keys(&mut self, neighbour: &ForeignLock) -> Result<Vec<LockKey>> {
        self.connection.foreign_lock_keys(neighbour).await
    }

    async fn find_tables(&mut self, names: &[String]) -> Result<Vec<FoundTable>> {
        self.connection.find_tables(names).await
    }

    async fn terminate_holder(&mut self, key: &LockKey, holder: &LockHolder) -> Result<()> {
        let in_table = self.table_lock.is_some() || self.connection.must_check_table_lock();
        if in_table {
            let engines_own = self.connection.holder(key).await?;
            if engines_own.is_none_or(|own| own.session != holder.session) {
                let schema = self.lock_schema().await?;
                return TableLock::new(String::new())
                    .end_holder(&mut self.connection, schema.as_deref(), key, holder)
                    .await;
            }
        }
        self.connection.terminate_holder(key, holder).await
    }
}
