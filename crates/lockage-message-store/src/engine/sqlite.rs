use async_trait::async_trait;
use lockage_core::{Backend, ConnectOptions, Result};
use lockage_sqlite::DIALECT;

use super::{Engine, Template, templates};
use crate::place::Place;
use crate::records::Records;

/// The schema of the file itself.
const MAIN: &str = "main";

#[derive(Debug)]
pub(super) struct Sqlite;

#[async_trait]
impl Engine for Sqlite {
    fn backend(&self) -> Backend {
        lockage_sqlite::BACKEND
    }

    fn templates(&self) -> &'static [Template] {
        templates!("sqlite": "1__envelopes", "2__nodes", "3__tenants")
    }

    /// SQLite has no schemas: another name than `main` is a prefix.
    fn place(&self, schema: Option<&str>) -> Place {
        let main = Place::in_schema(&DIALECT, Some(MAIN));
        match schema {
            None | Some(MAIN) => main,
            Some(prefix) => main.with_prefix(prefix),
        }
    }

    fn columns(&self, _: &Place) -> String {
        "SELECT t.name, c.name FROM main.sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'".into()
    }

    fn seconds_ago(&self, seconds: u64) -> String {
        format!("strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-{seconds} seconds')")
    }

    async fn connect(&self, options: &ConnectOptions) -> Result<Box<dyn Records>> {
        Ok(Box::new(lockage_sqlite::connect(options)?))
    }
}
