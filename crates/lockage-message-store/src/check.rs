//! Checks that a message database exists and is current.

use std::collections::HashSet;

use lockage_core::{Error, ErrorKind, Outcome, Result};

use crate::expected_tables::EXPECTED_TABLES;
use crate::store::{Store, explain};

const MIGRATE_HINT: &str = "run `lockage message-store migrate` or MessageStore::migrate";
const REBUILD_HINT: &str = "according to the history the database was created; `lockage message-store rebuild` or MessageStore::rebuild \
                            recreates it, and all stored messages are lost";

impl Store {
    /// Checks that the store is current: no pending migration, no missing table, no missing column.
    pub(crate) async fn assert_current(&self) -> Result<()> {
        let report = self.runner.check().await.map_err(explain)?;
        if report.outcome == Outcome::Pending {
            let pending = report.pending.iter().map(|pending| {
                let version = pending.version.as_deref().unwrap_or_default();
                format!("migration {version} ({}) is not applied", pending.name)
            });
            return Err(self.not_current_error(pending, MIGRATE_HINT));
        }
        let present = self.columns().await?;
        let mut missing = Vec::new();
        for (table, columns) in EXPECTED_TABLES {
            let name = self.names.unquoted(table);
            if !present.iter().any(|(table, _)| *table == name) {
                missing.push(format!("the table {name} is missing"));
                continue;
            }
            let is_absent =
                |column: &&&str| !present.contains(&(name.clone(), (**column).to_owned()));
            let absent = columns.iter().filter(is_absent);
            missing.extend(absent.map(|column| format!("the column {name}.{column} is missing")));
        }
        match missing.as_slice() {
            [] => Ok(()),
            _ => Err(self.not_current_error(missing.into_iter(), REBUILD_HINT)),
        }
    }

    /// Returns whether no migration was ever applied.
    pub(crate) async fn is_missing(&self) -> Result<bool> {
        Ok(self.runner.history().await?.rows.is_empty())
    }

    /// Returns all pairs of table and column.
    async fn columns(&self) -> Result<HashSet<(String, String)>> {
        let mut row_store = self.engine.connect(&self.options).await?;
        let rows = row_store
            .read(&self.engine.columns_query(&self.names))
            .await?;
        row_store.close().await?;
        let pair = |row: Vec<Option<String>>| {
            let mut names = row.into_iter().flatten();
            Some((names.next()?, names.next()?))
        };
        Ok(rows.into_iter().filter_map(pair).collect())
    }

    fn not_current_error(&self, findings: impl Iterator<Item = String>, hint: &str) -> Error {
        let findings: Vec<String> = findings.collect();
        Error::new(
            ErrorKind::NotCurrent,
            format!(
                "the message database in {} is not current: {}",
                self.options.url,
                findings.join("; ")
            ),
        )
        .with_hint(hint)
    }
}
