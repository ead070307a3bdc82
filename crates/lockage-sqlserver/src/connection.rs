use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lockage_core::{
    Canceller, ConnectOptions, Error, ErrorKind, FoundTable, LockHolder, LockKey, LockProvider,
    LockStrategy, Migration, ForeignLock, Result,
};
use lockage_sql::{Connection, DisconnectProbe, Dialect, CommandError, Notice, Command, Row, MigrationContext};

use crate::cancel::StopSign;
use crate::connect::Gangway;
use crate::convoy::{Convoy, Transaction};
use crate::dialect::{DIALECT, bracketed, literal};
use crate::error;
use crate::facts::{Facts, QUESTIONS};
use crate::lock::{self, Lock, Refused};
use crate::neighbour;
use crate::settings;
use crate::standing::{self, Standing};
use crate::trace::Trace;
use crate::wire::{Broken, End, Wire};

/// One session on a server.
#[derive(Debug)]
pub(crate) struct SqlServerConnection {
    wire: Option<Wire>,
    gangway: Gangway,
    /// `None` until the first batch was answered.
    facts: Option<Facts>,
    history_table: String,
    stop: StopSign,
    notices: Vec<Notice>,
    /// What scripts left in the session and nobody has put right yet.
    trace: Trace,
    /// Where the script in hand stands, where that is not where we stand.
    away: Option<String>,
    transaction: Transaction,
    open_transactions: Option<u32>,
    /// Whether the engine has locks of its own, as far as is known.
    has_own_locks: bool,
    /// Asked before a lock in a table is tried, where the server lists its sessions.
    standing: Option<Standing>,
    statement_timeout: Mutex<Option<Duration>>,
}

impl SqlServerConnection {
    pub(crate) async fn open(gangway: Gangway, options: &ConnectOptions) -> Result<Self> {
        let wire = gangway.open_or_create(options.create).await?;
        let history_table = options.history_table.as_deref();
        let history_table = history_table.unwrap_or(lockage_sql::HISTORY_TABLE);
        Ok(Self::new(gangway, wire, history_table.to_owned()))
    }

    fn new(gangway: Gangway, wire: Wire, history_table: String) -> Self {
        Self {
            wire: Some(wire),
            has_own_locks: !gangway.address().is_synapse(),
            gangway,
            facts: None,
            history_table,
            stop: StopSign::new(),
            notices: Vec::new(),
            trace: Trace::default(),
            away: None,
            transaction: None,
            open_transactions: None,
            standing: None,
            statement_timeout: Mutex::new(None),
        }
    }

    fn wire(&mut self) -> Result<&mut Wire> {
        self.wire
            .as_mut()
            .ok_or_else(|| Error::new(ErrorKind::SessionLost, "the session has ended").with_status(Status::Temporary))
    }

    fn time_limit(&self) -> MutexGuard<'_, Option<Duration>> {
        self.statement_timeout
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self, key: &LockKey) -> Lock {
        Lock::new(key, &self.gangway.address().principal)
    }

    /// Runs a batch of ours. The first one asks the server on itself on the way.
    async fn ask(&mut self, sql: &str) -> Result<Vec<Vec<Row>>, Broken> {
        let lost = |error: Error| Broken {
            sets: Vec::new(),
            error: tiberius::error::Error::Io {
                kind: std::io::ErrorKind::NotConnected,
                message: error.to_string(),
            },
        };
        if self.facts.is_some() {
            return self.wire().map_err(lost)?.run(sql).await;
        }
        let first = format!("{}\n{QUESTIONS};\n{sql}", settings::BEGINNING);
        let (mut sets, broken) = match self.wire().map_err(lost)?.run(&first).await {
            Ok(sets) => (sets, None),
            Err(broken) => (broken.sets, Some(broken.error)),
        };
        if !sets.is_empty() {
            let answer = sets.remove(0);
            match Facts::read(answer.first()) {
                Ok(facts) => self.facts = Some(facts),
                Err(error) if broken.is_none() => return Err(lost(error)),
                Err(_) => {}
            }
        }
        match broken {
            None => Ok(sets),
            Some(error) => Err(Broken { sets, error }),
        }
    }

    async fn facts(&mut self) -> Result<Facts> {
        if self.facts.is_none() {
            self.ask("").await.map_err(plain)?;
        }
        self.facts.clone().ok_or_else(|| {
            Error::new(
                ErrorKind::Connect,
                "the server does not answer questions on itself",
            )
        })
    }

    /// Puts right what scripts left in the session, before something of ours runs in it.
    async fn come_home(&mut self) -> Result<()> {
        let trace = std::mem::take(&mut self.trace);
        let home = self.facts().await?.database;
        if trace.stops {
            self.ask(settings::RUN_AGAIN).await.map_err(plain)?;
        }
        if trace.sets {
            self.ask(settings::OWN_NEEDS).await.map_err(plain)?;
        }
        if trace.impersonates {
            // As often as somebody else's rights may have been taken within each other; more is an error of its own at the next statement.
            let back = "DECLARE @lockage INT = 0; WHILE @lockage < 32 AND ORIGINAL_LOGIN() <> SUSER_SNAME() \
                        BEGIN REVERT; SET @lockage = @lockage + 1 END";
            self.ask(back).await.map_err(plain)?;
        }
        if trace.moves {
            let sql = format!("SELECT DB_NAME(); USE {}", bracketed(&home));
            let sets = self.ask(&sql).await.map_err(plain)?;
            let there = sets.into_iter().flatten().flatten().next().flatten();
            self.away = there.filter(|there| *there != home);
        }
        Ok(())
    }

    async fn send(
        &mut self,
        convoy: &mut Convoy,
        done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        if convoy.is_empty() {
            return Ok(());
        }
        let convoy = std::mem::take(convoy);
        let first = convoy.pieces().next().unwrap_or_default();
        let at_first = |error| CommandError::new(first, error);
        self.come_home().await.map_err(at_first)?;
        let facts = self.facts().await.map_err(at_first)?;
        let batch = convoy.batch(self.transaction.as_deref(), &facts);
        let answer = self.ask(&batch).await;
        let arrival = match convoy.arrive(answer) {
            Ok(arrival) => arrival,
            Err(failure) => {
                self.open_transactions = None;
                return Err(failure);
            }
        };
        self.transaction = convoy.leaves(self.transaction.take(), &arrival);
        self.open_transactions = Some(arrival.open_transactions);
        convoy.pieces().for_each(done);
        Ok(())
    }

    /// Runs a batch of a script, as long as it may.
    async fn script(&mut self, index: usize, sql: &str) -> Result<(), CommandError> {
        let here = |error| CommandError::new(index, error);
        self.facts().await.map_err(here)?;
        if self.stop.take() {
            return Err(here(interrupted()));
        }
        if let Some(away) = self.away.take() {
            let go = format!("USE {}", bracketed(&away));
            self.ask(&go).await.map_err(plain).map_err(here)?;
            self.trace.moves = true;
        }
        self.trace = self.trace.and(Trace::of(sql));
        let limit = *self.time_limit();
        let mut stop = self.stop.watch();
        let wire = self.wire().map_err(here)?;
        let end = wire.execute_until(sql, limit, &mut stop).await;
        let notices = wire.take_notices();
        self.notices.extend(notices);
        let cancelled = self.stop.take();
        match end {
            End::Done(Ok(())) => Ok(()),
            End::Done(Err(error)) => {
                let failure = error::failure(index, Some(sql), error);
                Err(CommandError {
                    error: of_a_script(failure.error, cancelled),
                    ..failure
                })
            }
            End::Cancelled => Err(here(interrupted())),
            End::Late => Err(here(too_late(limit.unwrap_or_default()))),
            End::Stuck => Err(here(Error::new(
                ErrorKind::SessionLost,
                "a statement was to be ended and could not be; the session was given up",
            ))),
        }
    }
}

/// What would be a failure to connect at the beginning is one of the statement later.
fn of_a_script(error: Error, cancelled: bool) -> Error {
    match error.kind() {
        ErrorKind::MigrationFailed if cancelled => interrupted().with_source(error),
        ErrorKind::Connect => {
            Error::new(ErrorKind::MigrationFailed, error.message()).with_source(error)
        }
        _ => error,
    }
}

fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, "the statement was interrupted")
}

fn too_late(limit: Duration) -> Error {
    Error::new(
        ErrorKind::MigrationFailed,
        format!("the statement took longer than {limit:?} and was ended"),
    )
    .with_hint("give it more time with `-- lockage: statement-timeout=10m` or --statement-timeout")
}

fn plain(broken: Broken) -> Error {
    error::plain(broken.error)
}

impl Drop for SqlServerConnection {
    fn drop(&mut self) {
        if let Some(wire) = self.wire.take() {
            wire.abandon();
        }
    }
}

#[async_trait]
impl LockProvider for SqlServerConnection {
    async fn try_lock(&mut self, key: &LockKey) -> Result<bool> {
        self.come_home().await?;
        let (lock, babelfish) = (self.lock(key), self.facts().await?.babelfish);
        lock::try_lock(self.wire()?, &lock, babelfish)
            .await
            .map_err(|refused| match refused {
                Refused::Unknown(error) => {
                    self.has_own_locks = false;
                    error
                }
                Refused::Other(error) => error,
            })
    }

    async fn holds(&mut self, key: &LockKey) -> Result<bool> {
        self.come_home().await?;
        let lock = self.lock(key);
        lock::holds(self.wire()?, &lock).await
    }

    async fn unlock(&mut self, key: &LockKey) -> Result<()> {
        self.come_home().await?;
        let lock = self.lock(key);
        lock::unlock(self.wire()?, &lock).await
    }

    async fn holder(&mut self, key: &LockKey) -> Result<Option<LockHolder>> {
        self.come_home().await?;
        let (lock, facts) = (self.lock(key), self.facts().await?);
        lock::holder(self.wire()?, &lock, facts.babelfish).await
    }

    fn native_lock_name(&self, key: &LockKey) -> String {
        lock::resource(key)
    }

    async fn foreign_lock_keys(&mut self, neighbour: &ForeignLock) -> Result<Vec<LockKey>> {
        neighbour::locks(neighbour, &self.facts().await?.database)
    }

    async fn find_tables(&mut self, names: &[String]) -> Result<Vec<FoundTable>> {
        self.come_home().await?;
        neighbour::tables(self.wire()?, names).await
    }

    async fn terminate_holder(&mut self, key: &LockKey, holder: &LockHolder) -> Result<()> {
        self.come_home().await?;
        let (lock, facts) = (self.lock(key), self.facts().await?);
        lock::end(self.wire()?, &lock, holder, facts.babelfish).await
    }
}

#[async_trait]
impl Connection for SqlServerConnection {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    fn user(&self) -> Option<&str> {
        Some(&self.gangway.address().user)
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Row>, CommandError> {
        if self.trace != Trace::default() {
            self.come_home()
                .await
                .map_err(|error| CommandError::new(0, error))?;
        }
        match self.ask(sql).await {
            Ok(sets) => Ok(sets.into_iter().next().unwrap_or_default()),
            Err(broken) => Err(error::failure(0, None, broken.error)),
        }
    }

    async fn run(
        &mut self,
        pieces: &[Command<'_>],
        done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        let mut convoy = Convoy::default();
        for (index, piece) in pieces.iter().enumerate() {
            match piece {
                Command::Internal(sql) => convoy.own(index, sql),
                Command::Assert(condition, refusal) => convoy.require(index, condition, refusal),
                Command::Script(sql) => {
                    self.send(&mut convoy, done).await?;
                    self.script(index, sql).await?;
                    done(index);
                }
            }
        }
        self.send(&mut convoy, done).await
    }

    fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    async fn history_schema(&mut self) -> Result<Option<String>> {
        self.come_home().await?;
        let table = literal(&bracketed(&self.history_table));
        let sql = format!("SELECT COALESCE(OBJECT_SCHEMA_NAME(OBJECT_ID({table})), SCHEMA_NAME())");
        let sets = self.ask(&sql).await.map_err(plain)?;
        Ok(sets.into_iter().flatten().flatten().next().flatten())
    }

    async fn ensure_schema(&mut self, schema: &str) -> Result<()> {
        self.come_home().await?;
        let make = literal(&format!("CREATE SCHEMA {}", bracketed(schema)));
        let sql = format!("IF SCHEMA_ID({}) IS NULL EXEC ({make})", literal(schema));
        self.ask(&sql).await.map(drop).map_err(plain)
    }

    fn lock_condition(&self, key: &LockKey) -> Option<String> {
        Some(self.lock(key).condition())
    }

    fn prepare(&self, work: &MigrationContext<'_>) -> Vec<String> {
        *self.time_limit() = work.statement_timeout;
        vec![settings::BEGINNING.to_owned(), settings::lock_timeout(work)]
    }

    fn before_commit(&self, _migration: &Migration) -> Vec<Command<'static>> {
        Vec::new()
    }

    /// Any statement that can be in a transaction may share it.
    fn allows_transaction(&self, statement: &str) -> bool {
        !crate::manner::refuses_a_transaction(statement)
    }

    fn in_transaction(&self) -> Option<bool> {
        self.open_transactions.map(|open| open > 0)
    }

    fn default_lock_strategy(&self) -> LockStrategy {
        match self.has_own_locks {
            true => LockStrategy::Advisory,
            false => LockStrategy::Table,
        }
    }

    async fn prepare_table_lock(&mut self) -> Result<()> {
        if self.standing.is_none() {
            self.facts().await?;
            self.standing = Standing::own(self.wire()?).await;
        }
        Ok(())
    }

    fn session_exists_sql(&self) -> Option<String> {
        self.standing.as_ref().map(Standing::condition)
    }

    fn cut(&self) -> Option<DisconnectProbe> {
        self.wire.as_ref().map(Wire::cut)
    }

    async fn enrich_holder(&mut self, holder: &mut LockHolder) {
        if let Ok(wire) = self.wire() {
            standing::enrich_holder(wire, holder).await;
        }
    }

    async fn shows(&mut self, session: &str) -> bool {
        match self.wire() {
            Ok(wire) => standing::is_shown(wire, session).await,
            Err(_) => false,
        }
    }

    async fn end_holder(&mut self, session: &str, _since: Option<&str>) -> Result<bool> {
        standing::end(self.wire()?, session).await
    }

    async fn open_sibling(&mut self) -> Result<Box<dyn Connection>> {
        let wire = self.gangway.open().await?;
        let mut another = Self::new(self.gangway.clone(), wire, self.history_table.clone());
        another.facts().await?;
        Ok(Box::new(another))
    }

    fn ending(&self, session: &str) -> Option<String> {
        Some(format!("KILL {}", session.split(' ').next()?))
    }

    fn session_id(&self) -> Option<String> {
        match &self.standing {
            Some(standing) => Some(standing.name()),
            None => self.facts.as_ref().map(|facts| facts.session.clone()),
        }
    }

    fn canceller(&self) -> Arc<dyn Canceller> {
        Arc::new(self.stop.clone())
    }

    async fn close(mut self) -> Result<()> {
        match self.wire.take() {
            Some(wire) => wire.close().await.map_err(error::plain),
            None => Ok(()),
        }
    }
}
