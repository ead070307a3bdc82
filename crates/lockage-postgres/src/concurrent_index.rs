//! Runs statements outside a transaction. A concurrent index build that fails leaves an invalid index, which is dropped.

use lockage_core::{Error, ErrorKind};
use lockage_sql::{Command, CommandError};

use crate::connection::PostgresConnection;
use crate::detach_partition::{DetachPartition, PartitionState};
use crate::index::{self, CreateIndex, IndexRow, REINDEX_LEFTOVERS, index_query};
use crate::pool_mode::PoolMode;
use crate::statement_mode;

/// The lock timeout of dropping an invalid index, for each try: the server waits for sessions that use the table.
const DROP_TIMEOUT_MS: u32 = 3000;

/// How often a query is tried when a cancel request for the previous statement hits it.
const MAX_TRIES: u32 = 3;

impl PostgresConnection {
    /// Runs one statement of a script outside a transaction.
    pub(crate) async fn run_outside_transaction(
        &mut self,
        statement: &str,
    ) -> Result<(), CommandError> {
        let words = statement_mode::leading_keywords(statement);
        if !statement_mode::is_concurrent(&words) {
            return self.run_once(statement).await;
        }
        if let Some(detach) = DetachPartition::parse(&words) {
            return self.detach_partition(statement, &detach).await;
        }
        let create = CreateIndex::parse(statement);
        let before = match &create {
            Some(create) => self.check_before(create).await?,
            None => self.indexes(&index_query(REINDEX_LEFTOVERS)).await?,
        };
        // The statement waits for all older transactions: a lock timeout would only leave an invalid index.
        let lock_timeout = self.disable_lock_timeout().await?;
        let outcome = self.run_once(statement).await;
        let outcome = match (outcome, &create) {
            (Ok(()), Some(create)) => self.check_after(create).await,
            (Err(failure), _) if failure.error.kind() == ErrorKind::SessionLost => {
                return Err(failure);
            }
            (Err(failure), Some(create)) => Err(self
                .drop_invalid_indexes(&create.query(), &before, failure)
                .await),
            (Err(failure), None) if words[0] == "REINDEX" => Err(self
                .drop_invalid_indexes(&index_query(REINDEX_LEFTOVERS), &before, failure)
                .await),
            (outcome, _) => outcome,
        };
        self.restore_lock_timeout(lock_timeout).await?;
        outcome
    }

    /// Detaches a partition, or completes what an earlier statement left pending.
    async fn detach_partition(
        &mut self,
        statement: &str,
        detach: &DetachPartition,
    ) -> Result<(), CommandError> {
        // Before PostgreSQL 14, the server has no such column and rejects the statement.
        let outcome = match self.partition_state(detach).await {
            Ok(PartitionState::Pending) => self.run_once(&detach.finalize_sql()).await,
            _ => self.run_once(statement).await,
        };
        match outcome {
            Err(failure) if failure.error.kind() != ErrorKind::SessionLost => {
                Err(self.with_partition_state(detach, failure).await)
            }
            outcome => outcome,
        }
    }

    /// Returns the ids of the invalid indexes that earlier statements left, before a `REINDEX … CONCURRENTLY`.
    pub(crate) async fn reindex_snapshot(
        &mut self,
        statement: &str,
    ) -> Result<Option<String>, CommandError> {
        if !statement_mode::is_concurrent_reindex(&statement_mode::leading_keywords(statement)) {
            return Ok(None);
        }
        let indexes = self.indexes(&index_query(REINDEX_LEFTOVERS)).await?;
        let oids: Vec<String> = indexes.into_iter().map(|index| index.oid).collect();
        Ok(Some(oids.join(",")))
    }

    async fn run_once(&mut self, statement: &str) -> Result<(), CommandError> {
        self.driver
            .execute(&[Command::Script(statement)], &mut |_| {})
            .await
    }

    /// Returns the indexes before the statement. Fails if the index exists and is invalid: with IF NOT EXISTS, the server would
    /// accept it as built.
    async fn check_before(&mut self, create: &CreateIndex) -> Result<Vec<IndexRow>, CommandError> {
        let before = self.indexes(&create.query()).await?;
        match before
            .iter()
            .find(|index| create.has_name() && !index.valid)
        {
            Some(index) => Err(CommandError::new(0, invalid_index_error(index))),
            None => Ok(before),
        }
    }

    async fn check_after(&mut self, create: &CreateIndex) -> Result<(), CommandError> {
        let after = self.check_before(create).await?;
        if create.has_name() && after.is_empty() {
            return Err(CommandError::new(
                0,
                Error::new(
                    ErrorKind::MigrationFailed,
                    "the index was built but does not exist: another session dropped it",
                ),
            ));
        }
        Ok(())
    }

    /// Drops the indexes that a failed build left, and adds them to the error.
    async fn drop_invalid_indexes(
        &mut self,
        query: &str,
        before: &[IndexRow],
        mut failure: CommandError,
    ) -> CommandError {
        let _guard = self.driver.canceller().suspend_cancel();
        for index in self.invalid_leftovers(query, before).await {
            let name = &index.name;
            let dropped = self.drop_index(&index).await;
            failure = failure.map_error(|error| match dropped {
                Ok(()) => error.with_context(
                    "index",
                    format!("{name} was left invalid and was dropped"),
                ),
                Err(_) => error
                    .with_context("index", format!("{name} was left invalid"))
                    .with_hint(format!(
                        "the failed build left the invalid index {name}; drop it: DROP INDEX CONCURRENTLY {name}"
                    )),
            });
        }
        failure
    }

    async fn invalid_leftovers(&mut self, query: &str, before: &[IndexRow]) -> Vec<IndexRow> {
        for _ in 0..MAX_TRIES {
            if let Ok(indexes) = self.indexes(query).await {
                let is_new = |index: &IndexRow| !before.iter().any(|old| old.oid == index.oid);
                return indexes
                    .into_iter()
                    .filter(|index| !index.valid && index.builder.is_none() && is_new(index))
                    .collect();
            }
        }
        Vec::new()
    }

    pub(crate) async fn drop_index(&mut self, index: &IndexRow) -> Result<(), CommandError> {
        let mut outcome = Ok(());
        for _ in 0..MAX_TRIES {
            let lock_timeout = self.swap_lock_timeout(DROP_TIMEOUT_MS, "true").await?;
            outcome = self
                .driver
                .query(&format!("DROP INDEX CONCURRENTLY IF EXISTS {}", index.name))
                .await
                .map(|_| ());
            self.restore_lock_timeout(lock_timeout).await?;
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    pub(crate) async fn indexes(&mut self, query: &str) -> Result<Vec<IndexRow>, CommandError> {
        let rows = self.driver.query(query).await?;
        Ok(rows.into_iter().filter_map(index::parse_row).collect())
    }

    /// Disables the lock timeout if Lockage set it. Returns the value to restore.
    async fn disable_lock_timeout(&mut self) -> Result<Option<String>, CommandError> {
        if self.lock_timeout == 0 {
            return Ok(None);
        }
        let is_ours = format!("setting = '{}'", self.lock_timeout);
        self.swap_lock_timeout(0, &is_ours).await
    }

    /// Sets the lock timeout if a condition is true. Returns the value to restore, or `None` if nothing was set.
    async fn swap_lock_timeout(
        &mut self,
        milliseconds: u32,
        condition: &str,
    ) -> Result<Option<String>, CommandError> {
        if self.pool_mode == PoolMode::Transaction {
            // The setting would remain in a session that other clients share.
            return Ok(None);
        }
        self.driver
            .query_value(&format!(
                "SELECT setting, pg_catalog.set_config('lock_timeout', '{milliseconds}', false) FROM pg_catalog.pg_settings \
                 WHERE name = 'lock_timeout' AND {condition}"
            ))
            .await
    }

    async fn restore_lock_timeout(
        &mut self,
        milliseconds: Option<String>,
    ) -> Result<(), CommandError> {
        let Some(milliseconds) = milliseconds else {
            return Ok(());
        };
        self.driver
            .query(&format!(
                "SELECT pg_catalog.set_config('lock_timeout', '{milliseconds}', false)"
            ))
            .await
            .map(|_| ())
    }
}

fn invalid_index_error(index: &IndexRow) -> Error {
    let name = &index.name;
    let error = Error::new(
        ErrorKind::MigrationFailed,
        format!("the index {name} exists and is invalid"),
    );
    match &index.builder {
        Some(session) => error.with_hint(format!(
            "session {session} is building it; wait until the build has finished"
        )),
        None => error.with_hint(format!(
            "an earlier build failed: drop it (DROP INDEX CONCURRENTLY {name}) or repair it (REINDEX INDEX CONCURRENTLY {name}), \
             then run again"
        )),
    }
}
