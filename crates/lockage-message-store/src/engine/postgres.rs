//! The message database on PostgreSQL.

use async_trait::async_trait;
use lockage_core::{Backend, ConnectOptions, Result};
use lockage_postgres::DIALECT;

use super::script::{ScriptTemplate, script_templates};
use super::traits::Engine;
use crate::row_store::RowStore;
use crate::table_names::TableNames;

/// PostgreSQL.
#[derive(Debug)]
pub(super) struct Postgres;

#[async_trait]
impl Engine for Postgres {
    fn backend(&self) -> Backend {
        lockage_postgres::BACKEND
    }

    fn scripts(&self) -> &'static [ScriptTemplate] {
        script_templates!("postgres": "1__envelopes", "2__nodes", "3__tenants")
    }

    fn table_names(&self, schema: Option<&str>) -> TableNames {
        TableNames::in_schema(&DIALECT, Some(schema.unwrap_or("lockage")))
    }

    fn columns_query(&self, names: &TableNames) -> String {
        let schema = names.literal(names.schema.as_deref().unwrap_or_default());
        format!(
            "SELECT c.relname, a.attname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
             WHERE n.nspname = {schema} AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped"
        )
    }

    fn seconds_ago(&self, seconds: u64) -> String {
        format!("now() - interval '{seconds} seconds'")
    }

    async fn connect(&self, options: &ConnectOptions) -> Result<Box<dyn RowStore>> {
        Ok(Box::new(lockage_postgres::connect(options).await?))
    }
}
