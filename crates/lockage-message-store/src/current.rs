//! Whether a message database is there and current.

use std::collections::HashSet;

use lockage_core::{Error, ErrorKind, Outcome, Result};

use crate::store::{OneStore, explain};
use crate::tables::TABLES;

const MIGRATE: &str = "`lockage message-store migrate`, or MessageStore::migrate, brings it up";
const REBUILD: &str = "its history says that it was made; `lockage message-store rebuild`, or MessageStore::rebuild, makes it anew, and \
                       what is stored is lost";

impl OneStore {
    pub(crate) async fn assert_current(&self) -> Result<()> {
        let report = self.runner.check().await.map_err(explain)?;
        if report.outcome == Outcome::Pending {
            let pending = report.pending.iter().map(|pending| {
                let version = pending.version.as_deref().unwrap_or_default();
                format!("migration {version} ({}) is not applied", pending.name)
            });
            return Err(self.not_current(pending, MIGRATE));
        }
        let present = self.columns().await?;
        let mut missing = Vec::new();
        for (table, columns) in TABLES {
            let name = self.place.bare(table);
            if !present.iter().any(|(table, _)| *table == name) {
                missing.push(format!("the table {name} is missing"));
                continue;
            }
            let lacks = |column: &&&str| !present.contains(&(name.clone(), (**column).to_owned()));
            let lacking = columns.iter().filter(lacks);
            missing.extend(lacking.map(|column| format!("the column {name}.{column} is missing")));
        }
        match missing.as_slice() {
            [] => Ok(()),
            _ => Err(self.not_current(missing.into_iter(), REBUILD)),
        }
    }

    /// Whether nothing was ever made here.
    pub(crate) async fn is_missing(&self) -> Result<bool> {
        Ok(self.runner.history().await?.rows.is_empty())
    }

    /// Every table of the place with its columns.
    async fn columns(&self) -> Result<HashSet<(String, String)>> {
        let mut records = self.engine.connect(&self.options).await?;
        let rows = records.read(&self.engine.columns(&self.place)).await?;
        records.end().await?;
        let pair = |row: Vec<Option<String>>| {
            let mut names = row.into_iter().flatten();
            Some((names.next()?, names.next()?))
        };
        Ok(rows.into_iter().filter_map(pair).collect())
    }

    fn not_current(&self, findings: impl Iterator<Item = String>, hint: &str) -> Error {
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
