//! Implements [`Recovery`]: statements whose outcome is unknown, and session state that a later run restores.

use async_trait::async_trait;
use lockage_core::Result;
use lockage_sql::{Recovery, Resolution, SessionEffect};

use crate::connection::MysqlConnection;
use crate::schema;
use crate::statement;

#[async_trait]
impl Recovery for MysqlConnection {
    async fn resolve(&mut self, statement: &str, snapshot: Option<&str>) -> Result<Resolution> {
        let mut driver = self.driver.borrow().await?;
        let (server, database) = (&self.server, &self.initial_database);
        let resolution = schema::resolve(&mut driver, server, database, statement, snapshot).await;
        drop(driver);
        self.with_classified_loss(resolution).await
    }

    fn session_effects(&self, statement: &str) -> Vec<SessionEffect> {
        statement::session_effects(statement)
    }

    fn has_session_state(&self) -> bool {
        !self.session_state.is_empty()
    }

    async fn session_state(&mut self, statement: &str) -> Result<Option<String>> {
        let mut driver = self.driver.borrow().await?;
        let recorded = self.session_state.record(&mut driver, statement).await;
        let state = match recorded {
            Ok(()) => self.session_state.save(&mut driver).await,
            Err(error) => Err(error),
        };
        drop(driver);
        self.with_classified_loss(state).await
    }

    async fn restore_session_state(&mut self, state: &str) -> Result<()> {
        let mut driver = self.driver.borrow().await?;
        let restored = self.session_state.restore(&mut driver, state).await;
        drop(driver);
        self.with_classified_loss(restored).await
    }
}
