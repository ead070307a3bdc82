//! Runs a script whose statements commit one by one. The journal records for each statement that it was started and that it is
//! done, so that a later run resumes where an earlier one stopped or died.

use std::collections::BTreeMap;

use lockage_core::{
    Error, ErrorKind, Event, Location, LockProof, Migration, Observer, Result, Step, StepResult,
};

use super::progress::Progress;
use super::statement::CurrentStatement;
use crate::command::FailureCause;
use crate::recovery::Resolution;
use crate::retry::{Retry, RetryPolicy};
use crate::script::ScriptStatement;
use crate::session::{SqlConnection, SqlSession};
use crate::statement_reader::{
    StatementReader, check_unchanged, count_statements, locate_failure, location,
};
use crate::tables::journal::{self, JournalRow};

impl<C: SqlConnection> SqlSession<C> {
    pub(crate) async fn apply_autocommit(
        &mut self,
        proof: &LockProof,
        step: &Step,
        observer: &dyn Observer,
    ) -> Result<StepResult> {
        let migration = &*step.migration;
        let total = self.check_script(step)?;
        // Once for the script and not for each statement: settings of the script stay in effect until its end.
        let settings = self.begin_migration(migration).await?;
        self.run_commands(&settings).await?;
        let journal = self.open_journal(proof, migration).await?;
        check_journal_fits(migration, &journal, total)?;
        self.check_session_effects(migration, &journal)?;
        self.mark_running(proof, step, total, &journal).await?;

        let mut progress = Progress::new(total);
        let outcome = self
            .run_statements(proof, step, journal, &mut progress, observer)
            .await;
        match outcome {
            Ok(()) => {
                self.mark_finished(proof, step, &progress).await?;
                Ok(StepResult::new(progress.executed))
            }
            Err(error) => Err(self.mark_failed(proof, migration, &progress, error).await),
        }
    }

    /// Returns the number of statements, after the whole script was read: an error at its end must be reported before its first
    /// statement is committed.
    fn check_script(&self, step: &Step) -> Result<u32> {
        let migration = &*step.migration;
        match step.statements {
            // The runner split the script when it checked it. The file may have changed since.
            Some(total) => check_unchanged(migration).map(|()| total),
            None => {
                let syntax = self.connection.dialect().syntax;
                count_statements(StatementReader::open(migration, syntax, false)?)
            }
        }
    }

    async fn run_statements(
        &mut self,
        proof: &LockProof,
        step: &Step,
        journal: BTreeMap<u32, JournalRow>,
        progress: &mut Progress,
        observer: &dyn Observer,
    ) -> Result<()> {
        let migration = &*step.migration;
        let syntax = self.connection.dialect().syntax;
        // The session state after the last committed statement, in the session of the earlier run.
        let mut session_state = None;
        for (index, statement) in (0..).zip(StatementReader::open(migration, syntax, false)?) {
            let statement = statement?;
            let row = journal.get(&index);
            if self
                .is_committed(proof, step, index, &statement, row)
                .await?
            {
                session_state = row
                    .and_then(|row| row.session_state.clone())
                    .or(session_state);
            } else {
                if let Some(state) = session_state.take() {
                    self.connection.restore_session_state(&state).await?;
                }
                self.run_statement(proof, step, index, &statement, progress, observer)
                    .await?;
                progress.executed += 1;
            }
            if !progress.in_transaction {
                progress.done = index + 1;
            }
            observer.on_event(&Event::Statement {
                done: index + 1,
                total: progress.total,
            });
        }
        if progress.in_transaction {
            return Err(Error::new(
                ErrorKind::InvalidMigration,
                "the script leaves a transaction open",
            )
            .with_location(Location::file(migration.file()))
            .with_hint("end it with COMMIT"));
        }
        Ok(())
    }

    /// Returns whether an earlier run committed a statement, from the journal and, where the journal does not know, from the
    /// server.
    async fn is_committed(
        &mut self,
        proof: &LockProof,
        step: &Step,
        index: u32,
        statement: &ScriptStatement,
        row: Option<&JournalRow>,
    ) -> Result<bool> {
        let migration = &*step.migration;
        let Some(row) = row else { return Ok(false) };
        if row.checksum != journal::checksum(&statement.text) {
            return Err(changed_statement_error(migration, index, statement, row));
        }
        if row.done {
            return Ok(true);
        }
        let snapshot = row.snapshot.as_deref();
        match self.connection.resolve(&statement.text, snapshot).await? {
            Resolution::Applied => {
                // Recorded now: later statements change the schema from which it was found out.
                let assertions = self.lock_assertions(proof).await?;
                let mut rows = vec![self.journal.mark_done_sql(migration, index, None)];
                rows.extend(self.advance(step, index));
                self.write_in_transaction(assertions, rows).await?;
                Ok(true)
            }
            Resolution::NotApplied => Ok(false),
            Resolution::Unknown(found) => Err(in_doubt_error(migration, index, statement, &found)),
        }
    }

    async fn run_statement(
        &mut self,
        proof: &LockProof,
        step: &Step,
        index: u32,
        statement: &ScriptStatement,
        progress: &mut Progress,
        observer: &dyn Observer,
    ) -> Result<()> {
        let current = CurrentStatement {
            proof,
            step,
            index,
            text: &statement.text,
        };
        let mut retry = Retry::new(RetryPolicy::TABLE_LOCK);
        loop {
            let was_in_transaction = progress.in_transaction;
            let outcome = self.try_statement(current, progress).await;
            self.report_notices(observer);
            let Err(failure) = outcome else {
                return Ok(());
            };
            // The rollback undid the earlier statements of the script's transaction too, so this statement cannot be retried.
            let failure = if was_in_transaction {
                failure.with_cause(FailureCause::Other)
            } else {
                failure
            };
            if let Err(failure) = retry.before_retry(failure, step, observer).await {
                return Err(locate_failure(&step.migration, statement, failure));
            }
        }
    }
}

/// Checks that the script still has every statement that the journal records.
fn check_journal_fits(
    migration: &Migration,
    journal: &BTreeMap<u32, JournalRow>,
    total: u32,
) -> Result<()> {
    match journal.last_key_value() {
        Some((index, _)) if *index >= total => Err(Error::new(
            ErrorKind::Diverged,
            format!(
                "statement {} of {migration} was started or committed and is no longer in the file",
                index + 1
            ),
        )
        .with_location(Location::file(migration.file()))
        .with_hint("restore the committed statements; only the statements after them may change")),
        _ => Ok(()),
    }
}

fn changed_statement_error(
    migration: &Migration,
    index: u32,
    statement: &ScriptStatement,
    row: &JournalRow,
) -> Error {
    let what = if row.done {
        "is committed"
    } else {
        "was started, and its outcome is unknown,"
    };
    let number = index + 1;
    Error::new(
        ErrorKind::Diverged,
        format!("statement {number} of {migration} {what} with a different text"),
    )
    .with_location(location(migration, statement, None))
    .with_hint("restore the statement; the statements after it may change")
}

fn in_doubt_error(
    migration: &Migration,
    index: u32,
    statement: &ScriptStatement,
    found: &str,
) -> Error {
    Error::new(
        ErrorKind::Diverged,
        format!(
            "a run died while it executed statement {} of {migration}, and it is unknown whether the statement took effect: {found}",
            index + 1
        ),
    )
    .with_location(location(migration, statement, None))
    .with_hint(
        "check the schema; then run `lockage repair --resolve applied` if the statement took effect, or \
         `lockage repair --resolve not-applied` to execute it again",
    )
}
