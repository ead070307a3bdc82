//! Support for the lock in a table, which serves when a pooler shares sessions among clients.

use async_trait::async_trait;
use lockage_core::{LockHolder, LockKey, LockStrategy, Result};
use lockage_sql::{LeaseSession, LeaseSupport, Row};

use crate::connect;
use crate::connection::PostgresConnection;
use crate::dialect::to_bool;
use crate::lock::{holder, key};
use crate::pool_mode::PoolMode;
use crate::server_session::{self, ServerSession};
use crate::session_settings;
use crate::standby::reject_standby;

#[async_trait]
impl LeaseSupport for PostgresConnection {
    fn default_lock_strategy(&self) -> LockStrategy {
        match self.pool_mode {
            PoolMode::Transaction => LockStrategy::Table,
            _ => LockStrategy::Advisory,
        }
    }

    async fn lease_session(&mut self) -> Result<LeaseSession> {
        if let Some(session) = &self.lease_session {
            return Ok(session.clone());
        }
        let rows = self.driver.query(&ServerSession::current_sql()).await?;
        let row = rows.into_iter().next().unwrap_or_default();
        let current = ServerSession::from_row(&row);
        reject_standby(row.get(2).and_then(Option::as_deref))?;
        let pool_mode = match self.pool_mode {
            PoolMode::Unknown => self.detect_pool_mode().await?,
            mode => mode,
        };
        if let PoolMode::Direct(pid) = pool_mode
            && current.as_ref().is_none_or(|session| session.pid != pid)
        {
            self.probe_pooler().await?;
        }
        let session = if self.pool_mode == PoolMode::Transaction {
            if let Some(schema) = &self.schema {
                let query = session_settings::search_path_query(schema);
                self.search_path = self.driver.query_value(&query).await?;
            }
            LeaseSession::default()
        } else {
            self.driver
                .query(&session_settings::set_config_query(&self.settings))
                .await?;
            self.has_settings = true;
            LeaseSession::new(
                current.as_ref().map(|session| session.pid.to_string()),
                current.as_ref().map(ServerSession::exists_sql),
            )
        };
        Ok(self.lease_session.insert(session).clone())
    }

    async fn open_sibling(&mut self) -> Result<Box<dyn LeaseSupport>> {
        let mut driver = connect::reopen(&self.config, &self.tls).await?;
        if self.pool_mode != PoolMode::Transaction {
            driver
                .query(&session_settings::set_config_query(&self.settings))
                .await?;
        }
        Ok(Box::new(self.sibling(driver)))
    }

    fn must_check_table_lock(&self) -> bool {
        self.must_check_table_lock
    }

    async fn native_lock_held_by_other(&mut self, key: &LockKey) -> Result<bool> {
        let query = format!("SELECT {}", key::is_held_sql(key));
        Ok(to_bool(self.driver.query_value(&query).await?.as_deref()))
    }

    async fn enrich_holder(&mut self, holder: &mut LockHolder) {
        let session = holder.session.as_ref().and_then(|pid| pid.parse().ok());
        let query = holder::describe_session(session);
        // Optional details: after an error, the holder is reported without them. Several sessions do not identify the holder.
        let rows = self.driver.query(&query).await.unwrap_or_default();
        if let Ok([row]) = <[Row; 1]>::try_from(rows) {
            let current = holder::from_row(row);
            holder.migration = current.migration;
            holder.statement = current.statement;
            holder.progress = current.progress;
        }
    }

    async fn terminate_session(&mut self, session: &str, since: Option<&str>) -> Result<bool> {
        server_session::terminate_expired_holder(&mut self.driver, session, since).await
    }

    fn terminate_session_sql(&self, session: &str) -> Option<String> {
        let pid: i32 = session.parse().ok()?;
        Some(format!("SELECT pg_terminate_backend({pid})"))
    }
}
