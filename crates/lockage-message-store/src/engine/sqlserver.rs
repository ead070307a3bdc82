use async_trait::async_trait;
use lockage_core::{Backend, ConnectOptions, Result};
use lockage_sqlserver::DIALECT;

use super::{Engine, Template, templates};
use crate::place::Place;
use crate::records::Records;

/// SQL Server and Azure SQL.
#[derive(Debug)]
pub(super) struct SqlServer;

#[async_trait]
impl Engine for SqlServer {
    fn backend(&self) -> Backend {
        lockage_sqlserver::BACKEND
    }

    fn templates(&self) -> &'static [Template] {
        templates!("sqlserver": "1__envelopes", "2__nodes", "3__tenants")
    }

    fn place(&self, schema: Option<&str>) -> Place {
        Place::in_schema(&DIALECT, Some(schema.unwrap_or("dbo")))
    }

    fn columns(&self, place: &Place) -> String {
        let schema = place.literal(place.schema.as_deref().unwrap_or_default());
        format!(
            "SELECT t.name, c.name FROM sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id \
             JOIN sys.columns c ON c.object_id = t.object_id WHERE s.name = {schema}"
        )
    }

    fn seconds_ago(&self, seconds: u64) -> String {
        // DATEADD takes an int; whole days and the rest of one always fit.
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        format!(
            "DATEADD(second, -{rest}, DATEADD(day, -{days}, TODATETIMEOFFSET(SYSUTCDATETIME(), 0)))"
        )
    }

    async fn connect(&self, options: &ConnectOptions) -> Result<Box<dyn Records>> {
        Ok(Box::new(lockage_sqlserver::connect(options).await?))
    }
}
