//! Statements whose outcome an earlier run did not see.

use async_trait::async_trait;
use lockage_core::Result;
use lockage_sql::{Recovery, Resolution};

use crate::connection::SqliteConnection;

#[async_trait]
impl Recovery for SqliteConnection {
    async fn resolve(&mut self, _statement: &str, _snapshot: Option<&str>) -> Result<Resolution> {
        // The only autocommit statement is VACUUM, which may be repeated.
        Ok(Resolution::NotApplied)
    }
}
