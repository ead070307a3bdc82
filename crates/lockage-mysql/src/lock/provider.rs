//! Implements [`LockProvider`] with `GET_LOCK`.

use std::time::Duration;

use async_trait::async_trait;
use lockage_core::{
    Error, ErrorKind, ForeignLock, FoundTable, LockHolder, LockKey, LockProvider, Result,
};
use lockage_sql::LeaseSupport;

use crate::connection::MysqlConnection;
use crate::foreign_lock;
use crate::lock;

/// After this idle time the server ends the session of a holder.
const HOLDER_IDLE_TIMEOUT: Duration = Duration::from_secs(15);

#[async_trait]
impl LockProvider for MysqlConnection {
    async fn try_lock(&mut self, key: &LockKey) -> Result<bool> {
        let name = self.lock_name(key);
        if self.server.clustered {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "GET_LOCK locks only on one node of a cluster and does not exclude sessions on other nodes",
            )
            .with_hint("omit --lock-strategy, or use --lock-strategy table"));
        }
        if self.needs_keepalive() {
            // Before the lock is acquired: a client that vanishes while the server grants it must not keep it either.
            self.set_idle_timeout(Some(HOLDER_IDLE_TIMEOUT)).await?;
        }
        let acquired = lock::try_lock(&mut *self.driver.borrow().await?, key, &name).await;
        let acquired = self.with_classified_loss(acquired).await?;
        if acquired && !self.native_locks.contains(&name) {
            self.native_locks.push(name);
        }
        Ok(acquired)
    }

    async fn holds(&mut self, key: &LockKey) -> Result<bool> {
        let name = self.lock_name(key);
        let holds = lock::holds(&mut *self.driver.borrow().await?, &name).await;
        self.with_classified_loss(holds).await
    }

    async fn unlock(&mut self, key: &LockKey) -> Result<()> {
        let name = self.lock_name(key);
        self.native_locks.retain(|held| *held != name);
        let unlocked = lock::unlock(&mut *self.driver.borrow().await?, key, &name).await;
        self.with_classified_loss(unlocked).await?;
        self.set_idle_timeout(None).await
    }

    async fn holder(&mut self, key: &LockKey) -> Result<Option<LockHolder>> {
        let name = self.lock_name(key);
        let holder = lock::holder(&mut *self.driver.borrow().await?, &name).await;
        self.with_classified_loss(holder).await
    }

    fn native_lock_name(&self, key: &LockKey) -> String {
        self.lock_name(key)
    }

    async fn foreign_lock_keys(&mut self, foreign_lock: &ForeignLock) -> Result<Vec<LockKey>> {
        foreign_lock::keys(foreign_lock, self.current_database(), self.server.product)
    }

    async fn find_tables(&mut self, names: &[String]) -> Result<Vec<FoundTable>> {
        let mut driver = self.driver.borrow().await?;
        let tables = foreign_lock::find_tables(&mut driver, &self.initial_database, names).await;
        drop(driver);
        self.with_classified_loss(tables).await
    }

    async fn terminate_holder(&mut self, key: &LockKey, holder: &LockHolder) -> Result<()> {
        let name = self.lock_name(key);
        let terminated =
            lock::terminate_holder(&mut *self.driver.borrow().await?, &name, holder).await;
        self.with_classified_loss(terminated).await
    }
}
