use std::time::Duration;

use async_trait::async_trait;
use lockage_core::{
    Error, ErrorKind, FoundTable, LockHolder, LockKey, LockProvider, ForeignLock, Result,
};
use lockage_sql::Connection;

use crate::connection::{MysqlConnection, reach};
use crate::end;
use crate::lock;
use crate::neighbour;

/// After how long a silence the server ends the session of a holder.
const SILENCE: Duration = Duration::from_secs(15);

#[async_trait]
impl LockProvider for MysqlConnection {
    async fn try_lock(&mut self, key: &LockKey) -> Result<bool> {
        let name = self.lock_name(key);
        if self.facts.clustered {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "GET_LOCK is known to one node of a cluster only and excludes nobody on the others",
            )
            .with_hint("leave --lock-strategy out, or make it table"));
        }
        if !self.has_heartbeat() {
            // Before the lock, not behind it: who vanishes while it is granted must not keep it either.
            self.set_idle_timeout(Some(SILENCE)).await?;
        }
        let tried = lock::try_lock(&mut *reach(&self.wire).await?, key, &name).await;
        self.judged(tried).await
    }

    async fn holds(&mut self, key: &LockKey) -> Result<bool> {
        let name = self.lock_name(key);
        let held = lock::holds(&mut *reach(&self.wire).await?, &name).await;
        self.judged(held).await
    }

    async fn unlock(&mut self, key: &LockKey) -> Result<()> {
        let name = self.lock_name(key);
        let unlocked = lock::unlock(&mut *reach(&self.wire).await?, key, &name).await;
        self.judged(unlocked).await?;
        self.set_idle_timeout(None).await
    }

    async fn holder(&mut self, key: &LockKey) -> Result<Option<LockHolder>> {
        let name = self.lock_name(key);
        let holder = lock::holder(&mut *reach(&self.wire).await?, &name).await;
        self.judged(holder).await
    }

    fn native_lock_name(&self, key: &LockKey) -> String {
        self.lock_name(key)
    }

    async fn foreign_lock_keys(&mut self, neighbour: &ForeignLock) -> Result<Vec<LockKey>> {
        neighbour::locks(neighbour, self.database(), self.facts.flavour)
    }

    async fn find_tables(&mut self, names: &[String]) -> Result<Vec<FoundTable>> {
        let found = neighbour::tables(&mut *reach(&self.wire).await?, &self.home, names).await;
        self.judged(found).await
    }

    async fn terminate_holder(&mut self, key: &LockKey, holder: &LockHolder) -> Result<()> {
        let name = self.lock_name(key);
        let ended = end::end(&mut *reach(&self.wire).await?, &name, holder).await;
        self.judged(ended).await
    }
}
