//! The message database on MySQL, MariaDB and Galera.

use async_trait::async_trait;
use lockage_core::{Backend, ConnectOptions, Result};
use lockage_mysql::DIALECT;

use super::script::{ScriptTemplate, script_templates};
use super::traits::Engine;
use crate::row_store::RowStore;
use crate::table_names::TableNames;

/// MySQL, MariaDB and Galera.
#[derive(Debug)]
pub(super) struct Mysql;

#[async_trait]
impl Engine for Mysql {
    fn backend(&self) -> Backend {
        lockage_mysql::BACKEND
    }

    fn scripts(&self) -> &'static [ScriptTemplate] {
        script_templates!("mysql": "1__envelopes", "2__nodes", "3__tenants")
    }

    /// A schema is a database. The default is the database of the URL.
    fn table_names(&self, schema: Option<&str>) -> TableNames {
        TableNames::in_schema(&DIALECT, schema)
    }

    fn columns_query(&self, names: &TableNames) -> String {
        let schema = names
            .schema
            .as_deref()
            .map_or_else(|| "DATABASE()".to_owned(), |schema| names.literal(schema));
        format!(
            "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {schema}"
        )
    }

    fn seconds_ago(&self, seconds: u64) -> String {
        format!("UTC_TIMESTAMP(6) - INTERVAL {seconds} SECOND")
    }

    async fn connect(&self, options: &ConnectOptions) -> Result<Box<dyn RowStore>> {
        Ok(Box::new(lockage_mysql::connect(options).await?))
    }
}
