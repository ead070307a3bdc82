//! Implements `LeaseSupport`: the lock in a table, for engines without application locks.

use async_trait::async_trait;
use lockage_core::{LockHolder, LockStrategy, Result};
use lockage_sql::{LeaseSession, LeaseSupport};

use crate::connection::SqlServerConnection;
use crate::server_session::{self, ServerSession};

#[async_trait]
impl LeaseSupport for SqlServerConnection {
    fn default_lock_strategy(&self) -> LockStrategy {
        match self.has_app_locks {
            true => LockStrategy::Advisory,
            false => LockStrategy::Table,
        }
    }

    async fn lease_session(&mut self) -> Result<LeaseSession> {
        let server_info = self.server_info().await?;
        if self.server_session.is_none() {
            self.server_session = ServerSession::current(self.driver()?).await;
        }
        let session = match &self.server_session {
            Some(session) => LeaseSession::new(Some(session.id()), Some(session.exists_sql())),
            None => LeaseSession::new(Some(server_info.session_id), None),
        };
        let probe = self.driver().ok().map(|driver| driver.disconnect_probe());
        Ok(session.with_disconnect_probe(probe))
    }

    async fn open_sibling(&mut self) -> Result<Box<dyn LeaseSupport>> {
        Ok(Box::new(self.reopen().await?))
    }

    async fn enrich_holder(&mut self, holder: &mut LockHolder) {
        if let Ok(driver) = self.driver() {
            server_session::enrich_holder(driver, holder).await;
        }
    }

    async fn terminate_session(&mut self, session: &str, _since: Option<&str>) -> Result<bool> {
        server_session::terminate_session(self.driver()?, session).await
    }

    fn terminate_session_sql(&self, session: &str) -> Option<String> {
        Some(format!("KILL {}", session.split(' ').next()?))
    }

    async fn can_see_session(&mut self, session: &str) -> bool {
        match self.driver() {
            Ok(driver) => server_session::is_visible(driver, session).await,
            Err(_) => false,
        }
    }
}
