use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lockage_core::{
    Canceller, Error, ErrorKind, LockHolder, LockKey, LockProvider, LockStrategy, Migration, Result,
};

use crate::Dialect;

/// One row of a query, every value as text.
pub type Row = Vec<Option<String>>;

/// What an engine's crate writes to become a backend: the lock, and how to run SQL on one connection.
/// [`SqlSession`](crate::SqlSession) makes a [`Session`](lockage_core::Session) of it: history, transactions, the journal and resuming
/// are written there, once for all engines.
///
/// # Cancel safety
/// As for [`Session`](lockage_core::Session): whoever drops a future of this trait before it is ready drops the connection too.
/// Dropping the connection ends the session on the server at once, the statement in hand included where the engine can.
#[async_trait]
pub trait Connection: LockProvider + fmt::Debug {
    /// How the engine writes SQL.
    fn dialect(&self) -> &'static Dialect;

    /// The database user, where there is one.
    fn user(&self) -> Option<&str> {
        None
    }

    /// Runs one query of ours in one round trip and returns its rows.
    async fn query(&mut self, sql: &str) -> Result<Vec<Row>, CommandError>;

    /// Runs pieces in order, in as few round trips as the engine allows, and stops at the first that fails. `done` is told each
    /// piece's index once it is through.
    async fn run(
        &mut self,
        pieces: &[Command<'_>],
        done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError>;

    /// Runs one statement of a script outside a transaction. Overridden where such a statement can fail by halves and must be
    /// looked after: an index that was built concurrently and is not valid.
    async fn run_autocommit(&mut self, statement: &str) -> Result<(), CommandError> {
        self.run(&[Command::Script(statement)], &mut |_| {}).await
    }

    /// What the server said while the last pieces ran, each text once. Told to the observer when they are through.
    fn take_notices(&mut self) -> Vec<Notice> {
        Vec::new()
    }

    /// The schema in which the history stands, or will be made, when the options name none; `None` where names need no schema.
    /// Asked under the lock, since a script may change what unqualified names mean.
    async fn history_schema(&mut self) -> Result<Option<String>> {
        Ok(None)
    }

    /// Makes a schema where it is missing, without needing the right to when it is there.
    async fn ensure_schema(&mut self, schema: &str) -> Result<()>;

    /// A condition that is true while this session holds the lock, to be checked in the round trip that writes; `None` where
    /// [`holds`](LockProvider::holds) is asked before instead.
    fn lock_condition(&self, _key: &LockKey) -> Option<String> {
        None
    }

    /// What runs once before a migration: time limits, a name in the process list, and a reset of what the migration before may
    /// have set.
    fn prepare(&self, _work: &MigrationContext<'_>) -> Vec<String> {
        Vec::new()
    }

    /// What runs first in each transaction of ours that holds statements of a script: what cannot be set for the session.
    fn within(&self) -> Vec<String> {
        Vec::new()
    }

    /// What runs behind the BEGIN of a transaction of the script's own, in one call with it. None of it may be a query: the script may say
    /// next what kind of transaction it is to be.
    fn after_begin(&self) -> Vec<String> {
        Vec::new()
    }

    /// What runs at the end of a script's transaction, before the history is written: rights and names as they were at the start,
    /// and checks of what the script left.
    fn before_commit(&self, _migration: &Migration) -> Vec<Command<'static>> {
        Vec::new()
    }

    /// What runs in a transaction of ours before rows are written, for a script without a transaction whose settings are to outlive
    /// it: rights as they were at the start, until the transaction ends.
    fn before_bookkeeping(&self) -> Vec<String> {
        Vec::new()
    }

    /// What runs right behind a statement that only sets something, where it takes back what this session needs.
    fn after_session_setting(&self, _statement: &str) -> Vec<String> {
        Vec::new()
    }

    /// Asked when the history's table was not found, by the name that a schema of the options or nothing stands before. Fails where
    /// there is, or may be, one that this session cannot see: that is no empty history.
    async fn check_history_absent(&mut self, _schema: Option<&str>) -> Result<()> {
        Ok(())
    }

    /// Whether a statement of a script without a transaction may share one with its journal row.
    fn allows_transaction(&self, statement: &str) -> bool;

    /// How a statement of a script without a transaction is brought under one roof with its journal row. Asked right before it runs.
    async fn statement_mode(&mut self, statement: &str) -> Result<StatementMode> {
        Ok(if self.allows_transaction(statement) {
            StatementMode::WithJournal
        } else {
            StatementMode::Autocommit { before: None }
        })
    }

    /// Whether [`keepsake`](Self::keepsake) is to be asked behind the statements of this script.
    fn has_session_state(&self) -> bool {
        false
    }

    /// What a later session must be told to go on behind a statement that has just run: variables, say. Kept in the journal with it.
    async fn keepsake(&mut self, _statement: &str) -> Result<Option<String>> {
        Ok(None)
    }

    /// Tells this session what an earlier one left as its [`keepsake`](Self::keepsake).
    async fn restore(&mut self, _keepsake: &str) -> Result<()> {
        Ok(())
    }

    /// Whether a transaction is open, as the server's last answer had it; `None` where it does not tell.
    fn in_transaction(&self) -> Option<bool> {
        None
    }

    /// The same as [`settle`](Self::settle) with what [`manner`](Self::manner) had noted before the statement.
    async fn resolve_with_snapshot(&mut self, statement: &str, _before: Option<&str>) -> Result<Resolution> {
        self.settle(statement).await
    }

    /// How the migration lock is made where the options leave it to the backend.
    fn default_lock_strategy(&self) -> LockStrategy {
        LockStrategy::Advisory
    }

    /// Has the server end this session when it is silent for so long, and keeps it from being silent while it has nothing to do; `None`
    /// ends that. Asked for while a lock in a table is held: a holder that vanished must be gone before its lease is.
    async fn set_idle_timeout(&mut self, _silence: Option<Duration>) -> Result<()> {
        Ok(())
    }

    /// A condition that is true on another connection while this session stands on the server; `None` where the server does not tell.
    fn session_exists_sql(&self) -> Option<String> {
        None
    }

    /// Tells whether the server hung up on this session, without asking it; `None` where nobody listens. Where somebody does,
    /// [`session_exists_sql`](Self::session_exists_sql) is looked at only behind that.
    fn cut(&self) -> Option<DisconnectProbe> {
        None
    }

    /// One more connection to the same database, for the heartbeats of a lock in a table.
    async fn open_sibling(&mut self) -> Result<Box<dyn Connection>> {
        Err(Error::new(
            ErrorKind::Unsupported,
            format!("{} has no lock in a table", self.dialect().engine),
        ))
    }

    /// Asked before a lock in a table is tried: finds out what the methods below are to tell.
    async fn prepare_table_lock(&mut self) -> Result<()> {
        Ok(())
    }

    /// Whether some may lock by a row in a table while this session uses the engine's own lock: then that row is looked at too, and the
    /// two kinds exclude each other. Asked behind a try.
    fn must_check_table_lock(&self) -> bool {
        false
    }

    /// Whether somebody holds the engine's own lock, where the two kinds may meet.
    async fn native_lock_held_by_other(&mut self, _key: &LockKey) -> Result<bool> {
        Ok(false)
    }

    /// Adds to what a row in a table tells of its holder what the server tells: the migration and the statement in hand, and how it gets on.
    async fn enrich_holder(&mut self, _holder: &mut LockHolder) {}

    /// Makes sure that the session of a holder stands no longer on the server, whose lease ran out: `session` as
    /// [`session_id`](Self::session_id) had it, and since when it holds the lock. `false` when it stands and cannot be ended.
    async fn end_holder(&mut self, _session: &str, _since: Option<&str>) -> Result<bool> {
        Ok(true)
    }

    /// The statement with which an administrator ends a session, by its [`session_id`](Self::session_id); `None` where there is none.
    fn ending(&self, _session: &str) -> Option<String> {
        None
    }

    /// Whether [`end_holder`](Self::end_holder) can end such a session: it may stand on another server of a cluster.
    fn reaches(&self, _session: &str) -> bool {
        true
    }

    /// The same where the server must be asked: it may not show a session to this user, who cannot see then whether it has ended.
    async fn shows(&mut self, session: &str) -> bool {
        self.reaches(session)
    }

    /// What the server calls this session, where it numbers them.
    fn session_id(&self) -> Option<String> {
        None
    }

    /// Finds out whether a statement took effect that was begun by a run which did not live to see its end.
    async fn settle(&mut self, _statement: &str) -> Result<Resolution> {
        Ok(Resolution::Unknown(
            "the engine does not tell whether it took effect".into(),
        ))
    }

    /// A handle that cancels the statement in hand from outside.
    fn canceller(&self) -> Arc<dyn Canceller>;

    /// Ends the session in good order.
    async fn close(self) -> Result<()>
    where
        Self: Sized;
}

/// Whether the server hung up; see [`Connection::cut`]. It keeps no connection open.
pub type DisconnectProbe = Arc<dyn Fn() -> bool + Send + Sync>;

/// What is about to run; see [`Connection::prepare`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct MigrationContext<'a> {
    /// The migration.
    pub migration: &'a Migration,
    /// How long a statement may run.
    pub statement_timeout: Option<Duration>,
    /// How long a statement may wait for a table.
    pub ddl_lock_timeout: Option<Duration>,
}

impl<'a> MigrationContext<'a> {
    pub(crate) fn new(migration: &'a Migration, options: &lockage_core::ConnectOptions) -> Self {
        let directives = migration.directives();
        Self {
            migration,
            statement_timeout: directives.statement_timeout.or(options.statement_timeout),
            ddl_lock_timeout: directives.ddl_lock_timeout.or(options.ddl_lock_timeout),
        }
    }
}

/// Something that the server said while pieces ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How serious the server says it is: `NOTICE`, `WARNING`.
    pub severity: String,
    /// The text.
    pub message: String,
}

/// A part of what is sent to the server.
#[derive(Debug, Clone)]
pub enum Command<'a> {
    /// A statement of ours.
    Own(Cow<'a, str>),
    /// A statement of a script.
    Script(&'a str),
    /// A condition, as SQL, that must be true for what follows to run.
    Require(String, AssertionError),
}

impl Command<'_> {
    pub(crate) fn own(sql: impl Into<String>) -> Self {
        Self::Own(Cow::Owned(sql.into()))
    }
}

/// What it means that a condition is not true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssertionError {
    /// The kind of the error.
    pub kind: ErrorKind,
    /// Its message.
    pub message: String,
}

impl AssertionError {
    /// A refusal.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// The lock is no longer held.
    pub(crate) fn lock_lost(key: &LockKey) -> Self {
        Self::new(
            ErrorKind::LockLost,
            format!("this session no longer holds the lock {key}; nothing more was written"),
        )
    }
}

impl From<AssertionError> for Error {
    fn from(refusal: AssertionError) -> Self {
        Self::new(refusal.kind, refusal.message)
    }
}

/// How a statement comes under one roof with its journal row; see [`Connection::manner`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementMode {
    /// In one transaction with it.
    Shared,
    /// It commits by itself, between a row that says so and a row that says it is done.
    Alone {
        /// What the schema looks like now, for [`Connection::resolve_with_snapshot`].
        before: Option<String>,
    },
    /// It does nothing but set something for the session: not journaled, and run again by whoever goes on behind it.
    Session,
}

/// What [`Connection::settle`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// It took effect.
    Done,
    /// It did not, or what it left was taken away: it may run again.
    NotDone,
    /// That cannot be decided; the text says what there is to see.
    Unknown(String),
}

/// Why a piece failed, as far as the layer above acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureCause {
    /// The table, the schema or the database that it reads does not exist.
    NoTable,
    /// It waited too long for a table that others use.
    TableBusy,
    /// Anything else.
    Other,
}

/// Where in a piece it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorPosition {
    /// At this byte.
    Byte(usize),
    /// In this line, counted from one.
    Line(u32),
}

/// A piece that failed.
#[derive(Debug)]
pub struct CommandError {
    /// Its index.
    pub piece: usize,
    /// Where in it, where the server tells.
    pub place: Option<ErrorPosition>,
    /// Why.
    pub cause: FailureCause,
    /// The error, without a location.
    pub error: Error,
}

impl CommandError {
    /// A failure whose cause needs no action.
    pub fn new(piece: usize, error: Error) -> Self {
        Self {
            piece,
            place: None,
            cause: FailureCause::Other,
            error,
        }
    }
}

impl From<CommandError> for Error {
    fn from(failure: CommandError) -> Self {
        failure.error
    }
}
