use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use lockage_core::{
    Canceller, Error, ErrorKind, FoundTable, LockHolder, LockKey, LockProvider, Migration,
    ForeignLock, Result,
};
use lockage_sql::script::leading_words;
use lockage_sql::{
    FailureCause, Connection, Dialect, CommandError, StatementMode, Command, AssertionError, Row, Resolution, MigrationContext,
};
use rusqlite::types::ValueRef;
use tokio::sync::mpsc;

use crate::address::Address;
use crate::dialect::{DIALECT, SCHEMA};
use crate::error::{failure, failure_of_script, is_busy};
use crate::neighbour;
use crate::worker::{Owned, Signal, Worker};

/// One SQLite connection on a thread of its own.
#[derive(Debug)]
pub(crate) struct SqliteConnection {
    worker: Worker,
}

impl SqliteConnection {
    pub(crate) fn start(address: Address) -> Result<Self> {
        Worker::start(address).map(|worker| Self { worker })
    }
}

#[async_trait]
impl LockProvider for SqliteConnection {
    async fn try_lock(&mut self, key: &LockKey) -> Result<bool> {
        let key = key.clone();
        self.worker
            .ask(move |owned| owned.locks.try_lock(&key))
            .await?
    }

    async fn holds(&mut self, key: &LockKey) -> Result<bool> {
        let key = key.clone();
        self.worker.ask(move |owned| owned.locks.holds(&key)).await
    }

    async fn unlock(&mut self, key: &LockKey) -> Result<()> {
        let asked = key.clone();
        if self
            .worker
            .ask(move |owned| owned.locks.unlock(&asked))
            .await?
        {
            Ok(())
        } else {
            Err(Error::new(
                ErrorKind::LockLost,
                format!("this session did not hold the lock {key}"),
            ))
        }
    }

    async fn holder(&mut self, key: &LockKey) -> Result<Option<LockHolder>> {
        let key = key.clone();
        self.worker
            .ask(move |owned| owned.locks.holder(&key))
            .await?
    }

    async fn foreign_lock_keys(&mut self, neighbour: &ForeignLock) -> Result<Vec<LockKey>> {
        Err(neighbour::refusal(neighbour))
    }

    async fn find_tables(&mut self, names: &[String]) -> Result<Vec<FoundTable>> {
        neighbour::tables(self, names).await
    }

    async fn terminate_holder(&mut self, _key: &LockKey, holder: &LockHolder) -> Result<()> {
        let process = holder.session.as_deref().unwrap_or("of an unknown number");
        let host = holder.host.as_deref().unwrap_or("an unknown host");
        let error = Error::new(
            ErrorKind::Unsupported,
            format!(
                "SQLite has no server that could end a session: the lock is held by process {process} on {host}"
            ),
        );
        Err(error.with_hint("end that process; the operating system then frees the lock at once"))
    }
}

#[async_trait]
impl Connection for SqliteConnection {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Row>, CommandError> {
        let sql = sql.to_owned();
        let lost = |error| CommandError::new(0, error);
        self.worker
            .ask(move |owned| query(owned, &sql))
            .await
            .map_err(lost)?
    }

    async fn run(
        &mut self,
        pieces: &[Command<'_>],
        done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        let pieces: Vec<Owning> = pieces.iter().map(Owning::from).collect();
        let (through, mut seen) = mpsc::unbounded_channel();
        let work = self.worker.ask(move |owned| run(owned, &pieces, &through));
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                Some(index) = seen.recv() => done(index),
                ended = &mut work => return ended.map_err(|error| CommandError::new(0, error))?,
            }
        }
    }

    async fn ensure_schema(&mut self, schema: &str) -> Result<()> {
        debug_assert_eq!(schema, SCHEMA);
        Ok(())
    }

    fn prepare(&self, work: &MigrationContext<'_>) -> Vec<String> {
        let migration = work.migration.to_string();
        let (statement_timeout, busy_timeout) = (work.statement_timeout, work.ddl_lock_timeout);
        self.worker.tell(move |owned| {
            owned.locks.note_migration(&migration);
            owned.statement_timeout = statement_timeout;
            owned.busy_timeout = busy_timeout;
        });
        let foreign_keys = if work.migration.directives().foreign_keys {
            "ON"
        } else {
            "OFF"
        };
        vec![format!("PRAGMA foreign_keys = {foreign_keys}")]
    }

    fn before_commit(&self, migration: &Migration) -> Vec<Command<'static>> {
        if migration.directives().foreign_keys {
            return Vec::new();
        }
        let refusal = AssertionError::new(
            ErrorKind::MigrationFailed,
            "the script leaves rows whose foreign keys point nowhere; `PRAGMA foreign_key_check` lists such rows",
        );
        vec![Command::Assert(
            "NOT EXISTS (SELECT 1 FROM pragma_foreign_key_check)".into(),
            refusal,
        )]
    }

    fn allows_transaction(&self, statement: &str) -> bool {
        manner(statement) == StatementMode::WithJournal
    }

    async fn statement_mode(&mut self, statement: &str) -> Result<StatementMode> {
        Ok(manner(statement))
    }

    async fn settle(&mut self, _statement: &str) -> Result<Resolution> {
        // Only VACUUM commits by itself, and it may be repeated.
        Ok(Resolution::NotApplied)
    }

    fn canceller(&self) -> Arc<dyn Canceller> {
        Arc::new(Stop(Arc::clone(self.worker.signal())))
    }

    async fn close(self) -> Result<()> {
        // Waits for the thread to drop what it owns: when this returns, the file is closed and the lock free.
        self.worker.ask(Owned::close).await
    }
}

#[derive(Debug)]
struct Stop(Arc<Signal>);

#[async_trait]
impl Canceller for Stop {
    async fn cancel(&self) -> Result<()> {
        self.0.stop();
        Ok(())
    }
}

/// How SQLite takes a statement: some it refuses, or ignores, inside a transaction, and most of those set something for the session,
/// which whoever goes on behind them needs again.
fn statement_mode(statement: &str) -> StatementMode {
    let words = leading_words(statement, DIALECT.syntax, 1);
    match words.first().map(String::as_str) {
        Some("VACUUM") => StatementMode::Autocommit { before: None },
        Some("PRAGMA" | "ATTACH" | "DETACH") => StatementMode::SessionSetting,
        _ => StatementMode::WithJournal,
    }
}

/// A piece that can go to the thread.
enum Owning {
    Own(String),
    Script(String),
    Require(String, AssertionError),
}

impl From<&Command<'_>> for Owning {
    fn from(piece: &Command<'_>) -> Self {
        match piece {
            Command::Internal(sql) => Self::Own(sql.to_string()),
            Command::Script(sql) => Self::Script((*sql).to_owned()),
            Command::Assert(condition, refusal) => {
                Self::Require(format!("SELECT {condition}"), refusal.clone())
            }
        }
    }
}

fn query(owned: &mut Owned, sql: &str) -> Result<Vec<Row>, CommandError> {
    let connection = owned.connection(false).map_err(|error| failure(0, error))?;
    let Some(connection) = connection else {
        let error = Error::new(ErrorKind::Connect, "the database does not exist");
        return Err(CommandError {
            cause: FailureCause::MissingTable,
            ..CommandError::new(0, error)
        });
    };
    rows(connection, sql).map_err(|error| failure(0, error))
}

fn rows(connection: &rusqlite::Connection, sql: &str) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let mut cursor = statement.raw_query();
    let mut rows = Vec::new();
    while let Some(row) = cursor.next()? {
        rows.push(
            (0..columns)
                .map(|column| row.get_ref(column).map(text))
                .collect::<rusqlite::Result<Row>>()?,
        );
    }
    Ok(rows)
}

fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
    }
}

fn run(
    owned: &mut Owned,
    pieces: &[Owning],
    through: &mpsc::UnboundedSender<usize>,
) -> Result<(), CommandError> {
    let signal = Arc::clone(owned.signal());
    let (limit, busy_limit) = (owned.statement_timeout, owned.busy_timeout);
    let connection = match owned.connection(true).map_err(|error| failure(0, error))? {
        Some(connection) => connection,
        None => {
            return Err(CommandError::new(
                0,
                Error::new(ErrorKind::Unexpected, "no database was made"),
            ));
        }
    };
    for (index, piece) in pieces.iter().enumerate() {
        let rollback = matches!(piece, Owning::Own(sql) if sql == DIALECT.rollback);
        if signal.is_stopped() && !rollback {
            signal.clear();
            return Err(CommandError::new(
                index,
                Error::new(ErrorKind::Interrupted, "the statement was interrupted"),
            ));
        }
        let limit = limit.filter(|_| matches!(piece, Owning::Script(_)));
        // A limit beyond what a clock can tell is none.
        signal.set_deadline(limit.and_then(|limit| Instant::now().checked_add(limit)));
        let begun = Instant::now();
        // SQLite's own wait for other writers is short, so that a stop is heard in between.
        let outcome = loop {
            match run_piece(connection, piece) {
                Err(error)
                    if is_busy(&error)
                        && !signal.is_stopped()
                        && busy_limit.is_none_or(|limit| begun.elapsed() < limit) => {}
                other => break other,
            }
        };
        let late = signal.is_late();
        signal.set_deadline(None);
        match outcome {
            Ok(None) => {}
            Ok(Some(refusal)) => return Err(CommandError::new(index, refusal.into())),
            // The script itself ended the transaction, as ROLLBACK after an error does.
            Err(_) if rollback && connection.is_autocommit() => {}
            Err(error) => {
                let mut failed = match piece {
                    Owning::Script(_) => failure_of_script(index, error),
                    _ => failure(index, error),
                };
                if signal.is_stopped() {
                    signal.clear();
                    failed.error =
                        Error::new(ErrorKind::Interrupted, "the statement was interrupted");
                } else if late && let Some(limit) = limit {
                    failed.error = Error::new(
                        ErrorKind::MigrationFailed,
                        format!("the statement ran longer than its statement timeout of {limit:?}"),
                    );
                }
                return Err(failed);
            }
        }
        let _ = through.send(index);
    }
    Ok(())
}

/// Runs a piece to its end; a condition that is not true gives its refusal.
fn run_piece(
    connection: &rusqlite::Connection,
    piece: &Owning,
) -> rusqlite::Result<Option<AssertionError>> {
    match piece {
        Owning::Own(sql) | Owning::Script(sql) => {
            let mut statement = connection.prepare(sql)?;
            let mut cursor = statement.raw_query();
            while cursor.next()?.is_some() {}
            Ok(None)
        }
        Owning::Require(sql, refusal) => {
            let truth: bool = connection.query_row(sql, (), |row| row.get(0))?;
            Ok((!truth).then(|| refusal.clone()))
        }
    }
}
