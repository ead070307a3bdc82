//! The message database on SQL Server and Azure SQL.

use async_trait::async_trait;
use lockage_core::{Backend, ConnectOptions, Result};
use lockage_sqlserver::DIALECT;

use super::script::{ScriptTemplate, script_templates};
use super::traits::Engine;
use crate::row_store::RowStore;
use crate::table_names::TableNames;

/// SQL Server and Azure SQL.
#[derive(Debug)]
pub(super) struct SqlServer;

#[async_trait]
impl Engine for SqlServer {
    fn backend(&self) -> Backend {
        lockage_sqlserver::BACKEND
    }

    fn scripts(&self) -> &'static [ScriptTemplate] {
        script_templates!("sqlserver": "1__envelopes", "2__nodes", "3__tenants")
    }

    fn table_names(&self, schema: Option<&str>) -> TableNames {
        TableNames::in_schema(&DIALECT, Some(schema.unwrap_or("dbo")))
    }

    fn columns_query(&self, names: &TableNames) -> String {
        let schema = names.literal(names.schema.as_deref().unwrap_or_default());
        format!(
            "SELECT t.name, c.name FROM sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id \
             JOIN sys.columns c ON c.object_id = t.object_id WHERE s.name = {schema}"
        )
    }

    fn seconds_ago(&self, seconds: u64) -> String {
        // DATEADD takes an int. Whole days and the remaining seconds of a day always fit.
        let (days, remaining) = (seconds / 86_400, seconds % 86_400);
        format!(
            "DATEADD(second, -{remaining}, DATEADD(day, -{days}, TODATETIMEOFFSET(SYSUTCDATETIME(), 0)))"
        )
    }

    async fn connect(&self, options: &ConnectOptions) -> Result<Box<dyn RowStore>> {
        Ok(Box::new(lockage_sqlserver::connect(options).await?))
    }
}
