use async_trait::async_trait;
use lockage_core::{Backend, ConnectOptions, Result};
use lockage_postgres::DIALECT;

use super::{Engine, Template, templates};
use crate::place::Place;
use crate::records::Records;

#[derive(Debug)]
pub(super) struct Postgres;

#[async_trait]
impl Engine for Postgres {
    fn backend(&self) -> Backend {
        lockage_postgres::BACKEND
    }

    fn templates(&self) -> &'static [Template] {
        templates!("postgres": "1__envelopes", "2__nodes", "3__tenants")
    }

    fn place(&self, schema: Option<&str>) -> Place {
        Place::in_schema(&DIALECT, Some(schema.unwrap_or("lockage")))
    }

    fn columns(&self, place: &Place) -> String {
        let schema = place.literal(place.schema.as_deref().unwrap_or_default());
        format!(
            "SELECT c.relname, a.attname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
             WHERE n.nspname = {schema} AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped"
        )
    }

    fn seconds_ago(&self, seconds: u64) -> String {
        format!("now() - interval '{seconds} seconds'")
    }

    async fn connect(&self, options: &ConnectOptions) -> Result<Box<dyn Records>> {
        Ok(Box::new(lockage_postgres::connect(options).await?))
    }
}
