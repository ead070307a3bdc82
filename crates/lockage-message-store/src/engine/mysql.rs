use async_trait::async_trait;
use lockage_core::{Backend, ConnectOptions, Result};
use lockage_mysql::DIALECT;

use super::{Engine, Template, templates};
use crate::place::Place;
use crate::records::Records;

/// MySQL, MariaDB and Galera.
#[derive(Debug)]
pub(super) struct Mysql;

#[async_trait]
impl Engine for Mysql {
    fn backend(&self) -> Backend {
        lockage_mysql::BACKEND
    }

    fn templates(&self) -> &'static [Template] {
        templates!("mysql": "1__envelopes", "2__nodes", "3__tenants")
    }

    /// A schema is a database; without one it is that of the URL.
    fn place(&self, schema: Option<&str>) -> Place {
        Place::in_schema(&DIALECT, schema)
    }

    fn columns(&self, place: &Place) -> String {
        let schema = place
            .schema
            .as_deref()
            .map_or_else(|| "DATABASE()".to_owned(), |schema| place.literal(schema));
        format!(
            "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {schema}"
        )
    }

    fn seconds_ago(&self, seconds: u64) -> String {
        format!("UTC_TIMESTAMP(6) - INTERVAL {seconds} SECOND")
    }

    async fn connect(&self, options: &ConnectOptions) -> Result<Box<dyn Records>> {
        Ok(Box::new(lockage_mysql::connect(options).await?))
    }
}
