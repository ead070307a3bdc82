//! Statements that run alone, and what may be left of them.

use lockage_core::{Error, ErrorKind, Result};
use lockage_sql::{CommandError, Command, Row, Resolution};

use crate::bare;
use crate::connection::PostgresConnection;
use crate::dialect::literal;
use crate::index::{self, Build, Found};
use crate::pooler::Way;

/// How long what was left of a failed build may take to go, each time. It waits for whoever uses the table.
const PATIENCE_MS: u32 = 3000;

/// A request to cancel that was under way may hit what comes after; then once more.
const TRIES: u32 = 3;

impl PostgresConnection {
    pub(crate) async fn run_alone(&mut self, statement: &str) -> Result<(), CommandError> {
        let words = bare::words(statement);
        if !bare::is_concurrent(&words) {
            return self.run_one(statement).await;
        }
        let build = Build::parse(statement);
        let before = match &build {
            Some(build) => self.look_before(build).await?,
            None => self.indexes(&index::look(index::LEFT_BY_REINDEX)).await?,
        };
        // It waits for transactions, in the end for all that are older: a limit would only leave it half done.
        let lifted = self.lift_lock_timeout().await?;
        let outcome = self.run_one(statement).await;
        let outcome = match (outcome, &build) {
            (Ok(()), Some(build)) => self.look_after(build).await,
            (Err(failure), _) if failure.error.kind() == ErrorKind::SessionLost => {
                return Err(failure);
            }
            (Err(failure), Some(build)) => {
                Err(self.clear_away(&build.look(), &before, failure).await)
            }
            (Err(failure), None) if words[0] == "REINDEX" => Err(self
                .clear_away(&index::look(index::LEFT_BY_REINDEX), &before, failure)
                .await),
            (outcome, _) => outcome,
        };
        self.set_lock_timeout(lifted).await?;
        outcome
    }

    async fn run_one(&mut self, statement: &str) -> Result<(), CommandError> {
        self.link
            .run(&[Command::Script(statement)], &mut |_| {})
            .await
    }

    /// An index of the same name that is not valid: with IF NOT EXISTS the server would let it pass.
    async fn look_before(&mut self, build: &Build) -> Result<Vec<Found>, CommandError> {
        let before = self.indexes(&build.look()).await?;
        match before.iter().find(|found| build.has_name() && !found.valid) {
            Some(found) => Err(CommandError::new(0, invalid(found))),
            None => Ok(before),
        }
    }

    async fn look_after(&mut self, build: &Build) -> Result<(), CommandError> {
        match self.look_before(build).await {
            Ok(found) if build.has_name() && found.is_empty() => Err(CommandError::new(
                0,
                Error::new(
                    ErrorKind::MigrationFailed,
                    "the index was built, and is not there: somebody dropped it",
                ),
            )),
            looked => looked.map(|_| ()),
        }
    }

    /// Drops what a failed build left, and says so.
    async fn clear_away(&mut self, look: &str, before: &[Found], mut failure: CommandError) -> CommandError {
        let canceller = std::sync::Arc::clone(self.link.canceller());
        let _untouched = canceller.hold_off();
        for left in self.left_over(look, before).await {
            let dropped = self.drop_index(&left).await;
            failure.error = match dropped {
                Ok(()) => failure.error.with_context(
                    "index",
                    format!("{} was left invalid and is dropped again", left.name),
                ),
                Err(_) => {
                    let name = &left.name;
                    let hint = format!(
                        "the failed build left the invalid index {name}; drop it: DROP INDEX CONCURRENTLY {name}"
                    );
                    failure
                        .error
                        .with_context("index", format!("{name} is left, invalid"))
                        .with_hint(hint)
                }
            };
        }
        failure
    }

    async fn left_over(&mut self, look: &str, before: &[Found]) -> Vec<Found> {
        for _ in 0..TRIES {
            if let Ok(now) = self.indexes(look).await {
                let new = |found: &Found| !before.iter().any(|old| old.oid == found.oid);
                return now
                    .into_iter()
                    .filter(|found| !found.valid && found.builder.is_none() && new(found))
                    .collect();
            }
        }
        Vec::new()
    }

    async fn drop_index(&mut self, found: &Found) -> Result<(), CommandError> {
        let mut outcome = Ok(());
        for _ in 0..TRIES {
            let before = self.lock_timeout_for(PATIENCE_MS, "true").await?;
            outcome = self
                .link
                .query(&format!("DROP INDEX CONCURRENTLY IF EXISTS {}", found.name))
                .await
                .map(|_| ());
            self.set_lock_timeout(before).await?;
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    async fn indexes(&mut self, look: &str) -> Result<Vec<Found>, CommandError> {
        Ok(self
            .link
            .query(look)
            .await?
            .into_iter()
            .filter_map(index::found)
            .collect())
    }

    /// Sets the limit to nothing where it is ours.
    async fn lift_lock_timeout(&mut self) -> Result<Option<String>, CommandError> {
        match self.lock_timeout() {
            Some(ours) => {
                self.lock_timeout_for(0, &format!("setting = '{ours}'"))
                    .await
            }
            None => Ok(None),
        }
    }

    /// Sets the limit where a condition is true; returns what it was, where it was set.
    async fn lock_timeout_for(
        &mut self,
        milliseconds: u32,
        condition: &str,
    ) -> Result<Option<String>, CommandError> {
        if self.way == Way::Shared {
            // It would stay in a session that others use too.
            return Ok(None);
        }
        let set = format!(
            "SELECT setting, pg_catalog.set_config('lock_timeout', '{milliseconds}', false) FROM pg_catalog.pg_settings \
             WHERE name = 'lock_timeout' AND {condition}"
        );
        let rows = self.link.query(&set).await?;
        Ok(rows
            .into_iter()
            .next()
            .and_then(|row| row.into_iter().next().flatten()))
    }

    async fn set_lock_timeout(&mut self, milliseconds: Option<String>) -> Result<(), CommandError> {
        let Some(limit) = milliseconds else {
            return Ok(());
        };
        self.link
            .query(&format!(
                "SELECT pg_catalog.set_config('lock_timeout', '{limit}', false)"
            ))
            .await
            .map(|_| ())
    }

    /// Whether a statement took effect whose end nobody saw.
    pub(crate) async fn settle_alone(&mut self, statement: &str) -> Result<Resolution> {
        let words = bare::words(statement);
        let word = |index: usize| words.get(index).map_or("", String::as_str);
        if let Some(build) = Build::parse(statement) {
            return self.settle_build(&build).await;
        }
        let is_there = |query: String| format!("SELECT 1 WHERE EXISTS ({query})");
        let name = |index: usize| literal(&index::unquoted(word(index)));
        let (look, made) = match (word(0), word(1)) {
            ("CREATE", "DATABASE") => (
                format!(
                    "SELECT 1 FROM pg_catalog.pg_database WHERE datname = {}",
                    name(2)
                ),
                true,
            ),
            ("CREATE", "TABLESPACE") => (
                format!(
                    "SELECT 1 FROM pg_catalog.pg_tablespace WHERE spcname = {}",
                    name(2)
                ),
                true,
            ),
            ("CREATE", "SUBSCRIPTION") => (
                format!(
                    "SELECT 1 FROM pg_catalog.pg_subscription WHERE subname = {}",
                    name(2)
                ),
                true,
            ),
            ("DROP", kind @ ("DATABASE" | "TABLESPACE" | "SUBSCRIPTION")) => {
                let name = name(if word(2) == "IF" { 4 } else { 2 });
                let (catalog, column) = match kind {
                    "DATABASE" => ("pg_database", "datname"),
                    "TABLESPACE" => ("pg_tablespace", "spcname"),
                    _ => ("pg_subscription", "subname"),
                };
                (
                    format!("SELECT 1 FROM pg_catalog.{catalog} WHERE {column} = {name}"),
                    false,
                )
            }
            ("DROP", "INDEX") => {
                match index::qualified(&words[if word(3) == "IF" { 5 } else { 3 }..]) {
                    Some(name) => (
                        format!(
                            "SELECT 1 WHERE pg_catalog.to_regclass({}) IS NOT NULL",
                            literal(&name)
                        ),
                        false,
                    ),
                    None => return Ok(Resolution::NotApplied),
                }
            }
            ("COMMIT" | "ROLLBACK", "PREPARED") => (
                format!(
                    "SELECT 1 FROM pg_catalog.pg_prepared_xacts WHERE gid = {}",
                    word(2)
                ),
                false,
            ),
            ("ALTER", "TABLE") => return self.settle_detach(&words).await,
            // Harmless to repeat.
            ("VACUUM" | "REINDEX" | "CLUSTER" | "REPACK" | "DISCARD", _)
            | ("ALTER", "SYSTEM" | "DATABASE" | "SUBSCRIPTION") => {
                return Ok(Resolution::NotApplied);
            }
            (first, _) => {
                return Ok(Resolution::Unknown(format!(
                    "{first} may commit, and nothing tells how far it came"
                )));
            }
        };
        let there = !self.link.query(&is_there(look)).await?.is_empty();
        Ok(if there == made {
            Resolution::Applied
        } else {
            Resolution::NotApplied
        })
    }

    async fn settle_build(&mut self, build: &Build) -> Result<Resolution> {
        let found = self.indexes(&build.look()).await?;
        let Some(found) = found.into_iter().next() else {
            return Ok(match build.has_name() {
                true => Resolution::NotApplied,
                false => Resolution::Unknown(
                    "the index has no name in the statement, and none of the table's is invalid"
                        .into(),
                ),
            });
        };
        match found {
            Found { valid: true, .. } => Ok(Resolution::Applied),
            Found {
                builder: Some(session),
                name,
                ..
            } => Ok(Resolution::Unknown(format!(
                "the index {name} is being built by session {session}"
            ))),
            // Nobody builds it, and its name is the one of the statement: it is what the run that died left.
            found if build.has_name() => match self.drop_index(&found).await {
                Ok(()) => Ok(Resolution::NotApplied),
                Err(failure) => Err(failure.error.with_hint(format!(
                    "drop it by hand: DROP INDEX CONCURRENTLY {}",
                    found.name
                ))),
            },
            found => Ok(Resolution::Unknown(format!(
                "the table has the invalid index {}",
                found.name
            ))),
        }
    }

    async fn settle_detach(&mut self, words: &[String]) -> Result<Resolution> {
        let detach = words
            .iter()
            .position(|word| word == "PARTITION")
            .map_or(words.len(), |at| at + 1);
        let Some(child) = index::qualified(words.get(detach..).unwrap_or_default()) else {
            return Ok(Resolution::Unknown(
                "the partition's name is not found in the statement".into(),
            ));
        };
        let look = format!(
            "SELECT inhdetachpending FROM pg_catalog.pg_inherits WHERE inhrelid = pg_catalog.to_regclass({})",
            literal(&child)
        );
        let rows: Vec<Row> = self.link.query(&look).await?;
        Ok(match rows.first().and_then(|row| row.first()?.as_deref()) {
            None => Resolution::Applied,
            Some("t") => Resolution::Unknown(format!(
                "{child} is half detached; ALTER TABLE … DETACH PARTITION {child} FINALIZE ends that"
            )),
            Some(_) => Resolution::NotApplied,
        })
    }
}

fn invalid(found: &Found) -> Error {
    let name = &found.name;
    let error = Error::new(
        ErrorKind::MigrationFailed,
        format!("the index {name} exists and is invalid"),
    );
    match &found.builder {
        Some(session) => error.with_hint(format!("session {session} is building it; wait until it is done")),
        None => error.with_hint(format!(
            "an earlier build failed: drop it (DROP INDEX CONCURRENTLY {name}) or repair it (REINDEX INDEX CONCURRENTLY {name}), \
             then run again"
        )),
    }
}
