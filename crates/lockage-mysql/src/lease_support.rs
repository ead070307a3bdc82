//! Implements [`LeaseSupport`]: what the lock in a table needs.

use std::time::Duration;

use async_trait::async_trait;
use lockage_core::{ErrorKind, LockKey, LockStrategy, Result, Status};
use lockage_sql::{LeaseSession, LeaseSupport};

use crate::connection::MysqlConnection;
use crate::keepalive::KeepAlive;
use crate::lock;
use crate::session_settings;

impl MysqlConnection {
    /// Returns whether a session belongs to this server. On a cluster it may belong to another node.
    fn can_terminate(&self, session: &str) -> bool {
        self.server.parse_own_session(session).is_some()
    }
}

#[async_trait]
impl LeaseSupport for MysqlConnection {
    fn default_lock_strategy(&self) -> LockStrategy {
        if self.server.clustered {
            LockStrategy::Table
        } else {
            LockStrategy::Advisory
        }
    }

    async fn lease_session(&mut self) -> Result<LeaseSession> {
        let is_this_server = self.server.is_this_server_sql();
        let id = self.server.connection;
        let exists = format!(
            "NOT ({is_this_server}) OR EXISTS (SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = {id})"
        );
        Ok(LeaseSession::new(
            Some(self.server.session_id()),
            Some(exists),
        ))
    }

    async fn open_sibling(&mut self) -> Result<Box<dyn LeaseSupport>> {
        let driver = self.connector.reopen().await?;
        let schema = Some(self.initial_database.clone());
        match Self::initialize(self.connector.clone(), driver, schema).await {
            Ok(opened) => Ok(Box::new(opened)),
            Err(error) if error.kind() == ErrorKind::SessionLost => {
                Err(error.with_status(Status::ConnectionLost))
            }
            Err(error) => Err(error),
        }
    }

    async fn set_idle_timeout(&mut self, timeout: Option<Duration>) -> Result<()> {
        self.keepalive = None;
        let sql = session_settings::idle_timeout(timeout);
        let set = self.driver.borrow().await?.execute(&sql).await;
        self.with_classified_loss(set.map_err(Into::into)).await?;
        self.idle_timeout = timeout;
        self.keepalive = timeout.map(|timeout| KeepAlive::start(&self.driver, timeout));
        Ok(())
    }

    fn must_check_table_lock(&self) -> bool {
        // A cluster has no other lock.
        !self.server.clustered
    }

    async fn native_lock_held_by_other(&mut self, key: &LockKey) -> Result<bool> {
        let name = self.lock_name(key);
        let used = lock::is_used_lock(&mut *self.driver.borrow().await?, &name).await;
        self.with_classified_loss(used).await
    }

    async fn terminate_session(&mut self, session: &str, since: Option<&str>) -> Result<bool> {
        let Some(id) = self.server.parse_own_session(session) else {
            // A statement of a session on another node is ordered before this session's update of the row, or fails because of it.
            return Ok(true);
        };
        let mut driver = self.driver.borrow().await?;
        let terminated = lock::terminate_expired_holder(&mut driver, &self.server, id, since).await;
        drop(driver);
        self.with_classified_loss(terminated).await
    }

    fn terminate_session_sql(&self, session: &str) -> Option<String> {
        Some(match session.split_once('@') {
            Some((number, node)) if !self.can_terminate(session) => format!(
                "run at the node {node}, as an administrator or as the holder's own account: KILL {number}"
            ),
            Some((number, _)) => format!("KILL {number}"),
            None => format!("KILL {session}"),
        })
    }

    async fn can_see_session(&mut self, session: &str) -> bool {
        self.can_terminate(session)
    }
}
