//! The message database on SQLite.

use async_trait::async_trait;
use lockage_core::{Backend, ConnectOptions, Result};
use lockage_sqlite::DIALECT;

use super::script::{ScriptTemplate, script_templates};
use super::traits::Engine;
use crate::row_store::RowStore;
use crate::table_names::TableNames;

/// The schema of the database file.
const MAIN: &str = "main";

/// SQLite.
#[derive(Debug)]
pub(super) struct Sqlite;

#[async_trait]
impl Engine for Sqlite {
    fn backend(&self) -> Backend {
        lockage_sqlite::BACKEND
    }

    fn scripts(&self) -> &'static [ScriptTemplate] {
        script_templates!("sqlite": "1__envelopes", "2__nodes", "3__tenants")
    }

    /// SQLite has no schemas: a name other than `main` is a prefix.
    fn table_names(&self, schema: Option<&str>) -> TableNames {
        let main = TableNames::in_schema(&DIALECT, Some(MAIN));
        match schema {
            None | Some(MAIN) => main,
            Some(prefix) => main.with_prefix(prefix),
        }
    }

    fn columns_query(&self, _: &TableNames) -> String {
        "SELECT t.name, c.name FROM main.sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'".into()
    }

    fn seconds_ago(&self, seconds: u64) -> String {
        format!("strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-{seconds} seconds')")
    }

    async fn connect(&self, options: &ConnectOptions) -> Result<Box<dyn RowStore>> {
        Ok(Box::new(lockage_sqlite::connect(options)?))
    }
}
