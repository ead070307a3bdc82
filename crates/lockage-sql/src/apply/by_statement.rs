//! A script whose statements commit one by one: the journal says for each that it was begun and that it is done, so that a later
//! run goes on where an earlier one stopped or died.

use std::collections::BTreeMap;
use std::time::Instant;

use lockage_core::{
    Action, Applied, Error, ErrorKind, Event, Held, Location, Migration, Observer, Result, State,
    Step,
};

use super::retry::Retry;
use crate::SqlSession;
use crate::connection::{Cause, Connection, Failure, Piece, Settled, Work};
use crate::history::Entry;
use crate::journal::{self, Line};
use crate::script::{Statement, TransactionControl, transaction_control};
use crate::statements::{Statements, explain, locate};

impl<C: Connection> SqlSession<C> {
    pub(crate) async fn apply_by_statement(
        &mut self,
        held: &Held,
        step: &Step,
        observer: &dyn Observer,
    ) -> Result<Applied> {
        let migration = &*step.migration;
        let syntax = self.connection.dialect().syntax;
        // Read to its end before anything runs: a mistake at the end is told before the beginning is committed.
        let mut total = 0;
        for statement in Statements::open(migration, syntax, false)? {
            statement?;
            total += 1;
        }
        let journal = self.open_journal(held, migration).await?;
        self.announce(held, step, total, &journal).await?;

        let mut run = Run {
            begun: Instant::now(),
            total,
            done: 0,
            ran: 0,
            in_transaction: false,
        };
        let outcome = self
            .run_statements(held, step, journal, &mut run, observer)
            .await;
        match outcome {
            Ok(()) => {
                self.finish(held, step, &run).await?;
                Ok(Applied::new(run.ran))
            }
            Err(error) => Err(self.leave_failed(migration, &run, error).await),
        }
    }

    async fn run_statements(
        &mut self,
        held: &Held,
        step: &Step,
        journal: BTreeMap<u32, Line>,
        run: &mut Run,
        observer: &dyn Observer,
    ) -> Result<()> {
        let migration = &*step.migration;
        let syntax = self.connection.dialect().syntax;
        // Once, not before each statement: what a script sets stays set until its end.
        let prepare: Vec<Piece<'_>> = self
            .connection
            .prepare(&Work::new(migration, &self.options))
            .into_iter()
            .map(Piece::own)
            .collect();
        self.run_pieces(&prepare).await?;
        for (index, statement) in (0..).zip(Statements::open(migration, syntax, false)?) {
            let statement = statement?;
            if !self
                .is_committed(migration, index, &statement, journal.get(&index))
                .await?
            {
                self.run_statement(held, step, index, &statement, run, observer)
                    .await?;
                run.ran += 1;
            }
            if !run.in_transaction {
                run.done = index + 1;
            }
            observer.on_event(&Event::Statement {
                done: index + 1,
                total: run.total,
            });
        }
        if run.in_transaction {
            let open = Error::new(
                ErrorKind::InvalidMigration,
                "the script leaves a transaction open",
            )
            .with_location(Location::file(migration.file()))
            .with_hint("end it with COMMIT");
            return Err(self.roll_back(Failure::new(0, open)).await.error);
        }
        Ok(())
    }

    /// What the journal, and the server where the journal does not know, say of a statement.
    async fn is_committed(
        &mut self,
        migration: &Migration,
        index: u32,
        statement: &Statement,
        line: Option<&Line>,
    ) -> Result<bool> {
        let Some(line) = line else { return Ok(false) };
        let doubt = |text: String| {
            Error::new(ErrorKind::Diverged, text).with_location(locate(migration, statement, None))
        };
        if line.checksum != journal::checksum(&statement.text) {
            let what = if line.done {
                "is committed"
            } else {
                "was begun, and its end is not known,"
            };
            return Err(doubt(format!(
                "statement {} of {migration} {what} with another text",
                index + 1
            ))
            .with_hint("restore the statement; what comes behind it may change"));
        }
        if line.done {
            return Ok(true);
        }
        match self.connection.settle(&statement.text).await? {
            Settled::Done => Ok(true),
            Settled::NotDone => Ok(false),
            Settled::Unknown(seen) => Err(doubt(format!(
                "a run died while statement {} of {migration} was under way, and whether it took effect is not known: {seen}",
                index + 1
            ))
            .with_hint(
                "look at the schema; then `lockage repair --settle done` when it took effect, or `lockage repair --settle again` \
                 to run it again",
            )),
        }
    }

    async fn run_statement(
        &mut self,
        held: &Held,
        step: &Step,
        index: u32,
        statement: &Statement,
        run: &mut Run,
        observer: &dyn Observer,
    ) -> Result<()> {
        let mut retry = Retry::new();
        loop {
            let Err(failure) = self.try_statement(held, step, index, statement, run).await else {
                return Ok(());
            };
            // In a transaction of the script's own, what ran before in it is gone as well.
            let failure = if run.in_transaction {
                Failure {
                    cause: Cause::Other,
                    ..failure
                }
            } else {
                failure
            };
            if let Err(failure) = retry.pause_after(failure, step, observer).await {
                return Err(explain(&step.migration, statement, failure));
            }
        }
    }

    async fn try_statement(
        &mut self,
        held: &Held,
        step: &Step,
        index: u32,
        statement: &Statement,
        run: &mut Run,
    ) -> Result<(), Failure> {
        let migration = &*step.migration;
        let dialect = self.connection.dialect();
        let text = statement.text.as_str();
        let control = transaction_control(text, dialect.syntax);
        let bare = control.is_none()
            && !run.in_transaction
            && !self.connection.may_share_transaction(text);
        let plain = |error| Failure::new(0, error);

        let [erase, done] = self.journal.write(migration, index, text, true);
        // The row of an undo is that of the migration which it takes back; it stays as it is until the end.
        let advance = (step.action != Action::Undo)
            .then(|| self.history.advance(migration, &State::Running, index + 1));
        let mut pieces: Vec<Piece<'_>> = Vec::new();
        if bare {
            let [erase_started, started] = self.journal.write(migration, index, text, false);
            pieces.push(Piece::own(dialect.begin));
            pieces.extend(self.require_lock(held).await.map_err(plain)?);
            pieces.extend([erase_started, started, dialect.commit.into()].map(Piece::own));
            self.run_pieces(&pieces).await?;
            if let Err(failure) = self.connection.run_bare(text).await {
                if failure.error.kind() != ErrorKind::SessionLost {
                    let erase = self.journal.erase(migration, index);
                    self.write(Vec::new(), vec![erase]).await.map_err(plain)?;
                }
                return Err(failure);
            }
            let rows = [erase, done].into_iter().chain(advance).collect();
            return self.write(Vec::new(), rows).await.map_err(plain);
        }
        // The journal's row stands in the transaction of its statement, be it ours or the script's own.
        let script = Piece::Script(text);
        let rows = [erase, done].into_iter().chain(advance).map(Piece::own);
        match control {
            Some(TransactionControl::Begin) => {
                pieces.extend(self.require_lock(held).await.map_err(plain)?);
                pieces.push(script);
                pieces.extend(rows);
                run.in_transaction = true;
            }
            Some(control) if control.crosses_boundary() => {
                pieces.extend(rows);
                pieces.push(script);
                run.in_transaction = false;
            }
            _ if run.in_transaction => {
                pieces.push(script);
                pieces.extend(rows);
            }
            _ => {
                pieces.push(Piece::own(dialect.begin));
                pieces.extend(self.require_lock(held).await.map_err(plain)?);
                pieces.push(script);
                pieces.extend(rows);
                pieces.push(Piece::own(dialect.commit));
            }
        }
        self.run_pieces(&pieces).await
    }

    /// Runs pieces; a failure among them ends the open transaction and speaks of the script's statement.
    async fn run_pieces(&mut self, pieces: &[Piece<'_>]) -> Result<(), Failure> {
        let Err(failure) = self.connection.run(pieces, &mut |_| {}).await else {
            return Ok(());
        };
        let of_script = matches!(pieces.get(failure.piece), Some(Piece::Script(_)));
        let failure = if of_script {
            failure
        } else {
            Failure {
                place: None,
                ..failure
            }
        };
        Err(self.roll_back(failure).await)
    }

    /// Makes the journal where it is missing, and reads what it says of a migration.
    async fn open_journal(
        &mut self,
        held: &Held,
        migration: &Migration,
    ) -> Result<BTreeMap<u32, Line>> {
        if let Some(journal) = self.read_journal(migration).await? {
            return Ok(journal);
        }
        let lock = self.require_lock(held).await?;
        self.write(lock, vec![self.journal.create()]).await?;
        Ok(BTreeMap::new())
    }

    /// What the journal says of a migration; `None` where there is no journal.
    pub(crate) async fn read_journal(
        &mut self,
        migration: &Migration,
    ) -> Result<Option<BTreeMap<u32, Line>>> {
        match self.connection.query(&self.journal.select(migration)).await {
            Ok(rows) => journal::parse(rows).map(Some),
            Err(failure) if failure.cause == Cause::NoTable => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Says in the history that the migration is under way. An undo keeps the row of what it undoes until it is done.
    async fn announce(
        &mut self,
        held: &Held,
        step: &Step,
        total: u32,
        journal: &BTreeMap<u32, Line>,
    ) -> Result<()> {
        let requirements = self.requirements(held, step).await?;
        let migration = &*step.migration;
        let done =
            u32::try_from(journal.values().filter(|line| line.done).count()).unwrap_or(u32::MAX);
        let statements = match step.action {
            Action::Undo => Vec::new(),
            _ => {
                let entry = Entry {
                    migration,
                    state: State::Running,
                    duration_ms: "0".into(),
                    statements: (done, total),
                };
                vec![self.history.delete(migration), self.history.insert(&entry)]
            }
        };
        self.write(requirements, statements).await
    }

    async fn finish(&mut self, held: &Held, step: &Step, run: &Run) -> Result<()> {
        let migration = &*step.migration;
        let state = if step.action == Action::Undo {
            State::Undone
        } else {
            State::Applied
        };
        let duration_ms = run.begun.elapsed().as_millis().to_string();
        let entry = Entry {
            migration,
            state,
            duration_ms,
            statements: (run.total, run.total),
        };
        let statements = vec![
            self.history.delete(migration),
            self.history.insert(&entry),
            self.journal.clear(migration),
        ];
        let lock = self.require_lock(held).await?;
        self.write(lock, statements).await
    }

    /// Leaves word of a failure in the history, and says how far the migration came.
    async fn leave_failed(&mut self, migration: &Migration, run: &Run, error: Error) -> Error {
        if !matches!(error.kind(), ErrorKind::SessionLost | ErrorKind::LockLost)
            && migration.kind() != lockage_core::Kind::Undo
        {
            let failed = self.history.advance(migration, &State::Failed, run.done);
            // The error in hand is the one to tell; the journal knows how far it came all the same.
            let _ = self.write(Vec::new(), vec![failed]).await;
        }
        error.with_context(
            "effect",
            format!("{} of {} statements are committed", run.done, run.total),
        )
    }
}

/// How far a script has come.
struct Run {
    begun: Instant,
    total: u32,
    done: u32,
    ran: u32,
    /// Between a BEGIN and a COMMIT of the script's own.
    in_transaction: bool,
}
