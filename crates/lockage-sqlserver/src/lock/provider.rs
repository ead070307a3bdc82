//! Implements `LockProvider` with application locks.

use async_trait::async_trait;
use lockage_core::{ForeignLock, FoundTable, LockHolder, LockKey, LockProvider, Result};

use super::app_lock::{self, LockFailure};
use super::holder::find_holder;
use super::key::resource;
use super::terminate;
use crate::connection::SqlServerConnection;
use crate::foreign_lock;

#[async_trait]
impl LockProvider for SqlServerConnection {
    async fn try_lock(&mut self, key: &LockKey) -> Result<bool> {
        self.restore_session().await?;
        let (lock, is_babelfish) = (self.app_lock(key), self.server_info().await?.is_babelfish);
        app_lock::try_lock(self.driver()?, &lock, is_babelfish)
            .await
            .map_err(|failure| match failure {
                LockFailure::Unsupported(error) => {
                    self.has_app_locks = false;
                    error
                }
                LockFailure::Other(error) => error,
            })
    }

    async fn holds(&mut self, key: &LockKey) -> Result<bool> {
        self.restore_session().await?;
        let lock = self.app_lock(key);
        app_lock::holds(self.driver()?, &lock).await
    }

    async fn unlock(&mut self, key: &LockKey) -> Result<()> {
        self.restore_session().await?;
        let lock = self.app_lock(key);
        app_lock::unlock(self.driver()?, &lock).await
    }

    async fn holder(&mut self, key: &LockKey) -> Result<Option<LockHolder>> {
        self.restore_session().await?;
        let (lock, is_babelfish) = (self.app_lock(key), self.server_info().await?.is_babelfish);
        find_holder(self.driver()?, &lock, is_babelfish).await
    }

    fn native_lock_name(&self, key: &LockKey) -> String {
        resource(key)
    }

    async fn foreign_lock_keys(&mut self, lock: &ForeignLock) -> Result<Vec<LockKey>> {
        foreign_lock::keys(lock, &self.server_info().await?.initial_database)
    }

    async fn find_tables(&mut self, names: &[String]) -> Result<Vec<FoundTable>> {
        self.restore_session().await?;
        foreign_lock::find_tables(self.driver()?, names).await
    }

    async fn terminate_holder(&mut self, key: &LockKey, holder: &LockHolder) -> Result<()> {
        self.restore_session().await?;
        let (lock, is_babelfish) = (self.app_lock(key), self.server_info().await?.is_babelfish);
        terminate::terminate_holder(self.driver()?, &lock, holder, is_babelfish).await
    }
}
