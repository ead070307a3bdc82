//! Finds out whether a statement outside a transaction took effect, after a run that did not see its end.

use async_trait::async_trait;
use lockage_core::Result;
use lockage_sql::{Recovery, Resolution, SessionEffect};

use crate::connection::PostgresConnection;
use crate::detach_partition::{DetachPartition, PartitionState};
use crate::dialect::{literal, qualified_name, unquoted};
use crate::index::{CreateIndex, IndexRow, REINDEX_LEFTOVERS, index_query};
use crate::session_effects::session_effects;
use crate::statement_mode::{is_concurrent_reindex, leading_keywords};

#[async_trait]
impl Recovery for PostgresConnection {
    fn session_effects(&self, statement: &str) -> Vec<SessionEffect> {
        session_effects(statement)
    }

    async fn resolve(&mut self, statement: &str, snapshot: Option<&str>) -> Result<Resolution> {
        if let Some(create) = CreateIndex::parse(statement) {
            return self.resolve_index_build(&create).await;
        }
        let words = leading_keywords(statement);
        if is_concurrent_reindex(&words) {
            return self.resolve_reindex(snapshot.unwrap_or_default()).await;
        }
        let (query, applied_if_exists) = match Evidence::of(&words) {
            Evidence::Exists(query) => (query, true),
            Evidence::Missing(query) => (query, false),
            Evidence::PartitionState => return self.resolve_detach(&words).await,
            Evidence::NotNeeded => return Ok(Resolution::NotApplied),
            Evidence::None => {
                let keyword = words.first().map_or("", String::as_str);
                return Ok(Resolution::Unknown(format!(
                    "{keyword} may commit part of its work, and the server does not report how much"
                )));
            }
        };
        let exists = !self.driver.query(&query).await?.is_empty();
        Ok(if exists == applied_if_exists {
            Resolution::Applied
        } else {
            Resolution::NotApplied
        })
    }
}

/// What shows whether a statement took effect.
enum Evidence {
    /// The object that the query finds.
    Exists(String),
    /// The absence of the object that the query finds.
    Missing(String),
    /// The state of a partition.
    PartitionState,
    /// Nothing needs to be known: running the statement again is harmless.
    NotNeeded,
    /// The server records nothing.
    None,
}

impl Evidence {
    fn of(words: &[String]) -> Self {
        let word = |index: usize| words.get(index).map_or("", String::as_str);
        match (word(0), word(1)) {
            ("CREATE", kind @ ("DATABASE" | "TABLESPACE" | "SUBSCRIPTION")) => {
                Self::Exists(object_query(kind, word(2)))
            }
            ("DROP", kind @ ("DATABASE" | "TABLESPACE" | "SUBSCRIPTION")) => {
                let name = if word(2) == "IF" { word(4) } else { word(2) };
                Self::Missing(object_query(kind, name))
            }
            ("DROP", "INDEX") => {
                let start = if word(3) == "IF" { 5 } else { 3 };
                match qualified_name(words.get(start..).unwrap_or_default()) {
                    Some(name) => Self::Missing(format!(
                        "SELECT 1 WHERE pg_catalog.to_regclass({}) IS NOT NULL",
                        literal(&name)
                    )),
                    None => Self::NotNeeded,
                }
            }
            ("COMMIT" | "ROLLBACK", "PREPARED") => Self::Missing(format!(
                "SELECT 1 FROM pg_catalog.pg_prepared_xacts WHERE gid = {}",
                word(2)
            )),
            ("ALTER", "TABLE") => Self::PartitionState,
            ("VACUUM" | "REINDEX" | "CLUSTER" | "REPACK" | "DISCARD", _)
            | ("ALTER", "SYSTEM" | "DATABASE" | "SUBSCRIPTION") => Self::NotNeeded,
            _ => Self::None,
        }
    }
}

/// Returns a query that has a row if the database, tablespace or subscription exists.
fn object_query(kind: &str, name: &str) -> String {
    let (catalog, column) = match kind {
        "DATABASE" => ("pg_database", "datname"),
        "TABLESPACE" => ("pg_tablespace", "spcname"),
        _ => ("pg_subscription", "subname"),
    };
    format!(
        "SELECT 1 FROM pg_catalog.{catalog} WHERE {column} = {}",
        literal(&unquoted(name))
    )
}

impl PostgresConnection {
    /// Drops the indexes that a `REINDEX … CONCURRENTLY` left. `before`: the ids of those that existed when it started.
    async fn resolve_reindex(&mut self, before: &str) -> Result<Resolution> {
        for index in self.indexes(&index_query(REINDEX_LEFTOVERS)).await? {
            let name = &index.name;
            if before.split(',').any(|oid| oid == index.oid) {
                continue;
            }
            if let Some(session) = &index.builder {
                return Ok(Resolution::Unknown(format!(
                    "the index {name} is being built by session {session}"
                )));
            }
            if let Err(failure) = self.drop_index(&index).await {
                return Err(failure.error.with_hint(format!(
                    "a REINDEX that did not end left the invalid index {name}; drop it: DROP INDEX CONCURRENTLY {name}"
                )));
            }
        }
        Ok(Resolution::NotApplied)
    }

    async fn resolve_index_build(&mut self, create: &CreateIndex) -> Result<Resolution> {
        let indexes = self.indexes(&create.query()).await?;
        let Some(index) = indexes.into_iter().next() else {
            return Ok(if create.has_name() {
                Resolution::NotApplied
            } else {
                Resolution::Unknown(
                    "the statement does not name the index, and the table has no invalid index"
                        .into(),
                )
            });
        };
        match index {
            IndexRow { valid: true, .. } => Ok(Resolution::Applied),
            IndexRow {
                builder: Some(session),
                name,
                ..
            } => Ok(Resolution::Unknown(format!(
                "the index {name} is being built by session {session}"
            ))),
            // No session builds it, and it has the name in the statement: the earlier run left it.
            index if create.has_name() => match self.drop_index(&index).await {
                Ok(()) => Ok(Resolution::NotApplied),
                Err(failure) => Err(failure.error.with_hint(format!(
                    "drop it manually: DROP INDEX CONCURRENTLY {}",
                    index.name
                ))),
            },
            index => Ok(Resolution::Unknown(format!(
                "the table has the invalid index {}",
                index.name
            ))),
        }
    }

    async fn resolve_detach(&mut self, words: &[String]) -> Result<Resolution> {
        let Some(detach) = DetachPartition::parse(words) else {
            return Ok(Resolution::Unknown(
                "the statement does not name the partition".into(),
            ));
        };
        Ok(match self.partition_state(&detach).await? {
            PartitionState::Detached => Resolution::Applied,
            // The statement completes it when it runs again.
            PartitionState::Pending | PartitionState::Attached => Resolution::NotApplied,
        })
    }
}
