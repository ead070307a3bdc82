//! The trait [`Engine`]: what differs between the engines.

use std::fmt;

use async_trait::async_trait;
use lockage_core::{Backend, ConnectOptions, Result};

use super::script::ScriptTemplate;
use crate::row_store::RowStore;
use crate::table_names::TableNames;

/// An engine that can contain a message database.
#[async_trait]
pub(crate) trait Engine: fmt::Debug + Send + Sync {
    /// Returns the backend that migrates it.
    fn backend(&self) -> Backend;

    /// Returns the scripts, with placeholders for names.
    fn scripts(&self) -> &'static [ScriptTemplate];

    /// Returns the names of the tables in a schema, or in the default schema.
    fn table_names(&self, schema: Option<&str>) -> TableNames;

    /// Returns a query for pairs of table and column. It may also return tables of others.
    fn columns_query(&self, names: &TableNames) -> String;

    /// Returns an SQL expression for the time `seconds` ago, which can be compared with a column.
    fn seconds_ago(&self, seconds: u64) -> String;

    /// Opens a connection for rows.
    async fn connect(&self, options: &ConnectOptions) -> Result<Box<dyn RowStore>>;
}
