use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use lockage_core::{
    Canceller, ConnectOptions, Error, ErrorKind, LockKey, LockStrategy, Migration, Result,
};
use lockage_sql::{Connection, Dialect, CommandError, StatementMode, Command, Row, Resolution, MigrationContext};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use crate::connect::Gangway;
use crate::dialect::{DIALECT, backticked};
use crate::end;
use crate::error;
use crate::facts::{Facts, QUESTIONS};
use crate::gone;
use crate::heartbeat::{Heartbeat, SharedWire};
use crate::keepsake::Luggage;
use crate::kill::KillSwitch;
use crate::lock;
use crate::lookout::Lookout;
use crate::manner::Script;
use crate::schema;
use crate::settings;
use crate::statement::{Class, classify};
use crate::wire::Wire;

/// One session on a server.
#[derive(Debug)]
pub(crate) struct MysqlConnection {
    pub(crate) wire: SharedWire,
    /// Whether a call to the server was begun and has not come back.
    busy: Arc<AtomicBool>,
    gangway: Gangway,
    pub(crate) facts: Facts,
    /// The database in which history and unqualified names stand.
    pub(crate) home: String,
    kill: KillSwitch,
    heartbeat: Option<Heartbeat>,
    pub(crate) script: std::sync::Mutex<Script>,
    /// The tables, in lower case, whose engines have no transactions; `None` when that must be asked again.
    pub(crate) without_transactions: Option<Vec<String>>,
    in_transaction: bool,
    /// After how long a silence the server ends this session, where it was asked to.
    silence: Option<Duration>,
}

impl MysqlConnection {
    pub(crate) async fn open(gangway: Gangway, options: &ConnectOptions) -> Result<Self> {
        let wire = gangway.open_or_create(options.create).await?;
        let home = options.schema.clone();
        let opened = Self::begin(gangway.clone(), wire, home);
        match tokio::time::timeout(options.connect_timeout, opened).await {
            // Nobody has lost what had not begun.
            Ok(Err(error)) if error.kind() == ErrorKind::SessionLost => Err(Error::new(
                ErrorKind::Connect,
                format!("cannot connect to {}: {}", options.url, error.message()),
            )
            .with_status(Status::Temporary)
            .with_source(error)),
            Ok(opened) => opened,
            Err(_) => Err(Error::new(
                ErrorKind::Connect,
                format!(
                    "{} did not answer within {:?}",
                    options.url, options.connect_timeout
                ),
            )
            .with_status(Status::Temporary)),
        }
    }

    async fn begin(gangway: Gangway, mut wire: Wire, schema: Option<String>) -> Result<Self> {
        let sets = wire
            .run(&format!("{}; {QUESTIONS}", settings::beginning()))
            .await;
        let sets = sets.map_err(|broken| error::plain(broken.error))?;
        let [.., variables, status, session] = &sets[..] else {
            return Err(Error::new(
                ErrorKind::Connect,
                "the server does not answer questions on itself",
            ));
        };
        let facts = Facts::read(variables, status, session.first())?;
        if facts.clustered {
            wire.execute(settings::READ_THE_NEWEST)
                .await
                .map_err(error::plain)?;
        }
        if let Some(schema) = &schema {
            // Where it is missing, the history is empty and the schema is made under the lock.
            match wire.execute(&format!("USE {}", backticked(schema))).await {
                Err(error) if error::number(&error) != Some(1049) => {
                    return Err(error::plain(error));
                }
                _ => {}
            }
        }
        wire.watch(Lookout::new(&gangway, &facts));
        let kill = KillSwitch::new(gangway.clone(), facts.clone());
        Ok(Self {
            busy: wire.busy(),
            wire: Arc::new(Mutex::new(Some(wire))),
            home: schema
                .or_else(|| facts.database.clone())
                .unwrap_or_else(|| gangway.database().to_owned()),
            gangway,
            facts,
            kill,
            heartbeat: None,
            script: std::sync::Mutex::default(),
            without_transactions: None,
            in_transaction: false,
            silence: None,
        })
    }

    /// The lock's name: of the database that the URL names, whatever the schema.
    pub(crate) fn lock_name(&self, key: &LockKey) -> String {
        lock::lock_name(key, self.database())
    }

    /// An error, with a word on whether the server is gone.
    async fn judge(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::SessionLost {
            return error;
        }
        let silent = match (self.silence, reach(&self.wire).await) {
            (Some(limit), Ok(wire)) => wire.silence() >= limit,
            _ => false,
        };
        gone::judge(&self.gangway, &self.facts, silent, error).await
    }

    async fn lost(&self, failure: CommandError) -> CommandError {
        CommandError {
            error: self.judge(failure.error).await,
            ..failure
        }
    }

    /// What came of a call, with a word on whether the server is gone.
    pub(crate) async fn judged<T>(&self, done: Result<T>) -> Result<T> {
        match done {
            Ok(done) => Ok(done),
            Err(error) => Err(self.judge(error).await),
        }
    }

    pub(crate) fn has_heartbeat(&self) -> bool {
        self.heartbeat.is_some()
    }

    pub(crate) fn database(&self) -> &str {
        let named = self.facts.database.as_deref();
        named.unwrap_or_else(|| self.gangway.database())
    }
}

/// Makes a database where it is missing, and goes there.
async fn ensure(wire: &mut Wire, schema: &str) -> Result<(), mysql_async::Error> {
    let name = backticked(schema);
    match wire.execute(&format!("USE {name}")).await {
        Err(error) if error::number(&error) == Some(1049) => {}
        done => return done,
    }
    let sql = format!("CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4; USE {name}");
    wire.run(&sql)
        .await
        .map(drop)
        .map_err(|broken| broken.error)
}

/// The connection, for one call.
pub(crate) async fn reach(wire: &SharedWire) -> Result<MappedMutexGuard<'_, Wire>> {
    MutexGuard::try_map(wire.lock().await, Option::as_mut)
        .map_err(|_| Error::new(ErrorKind::SessionLost, "the session has ended").with_status(Status::Temporary))
}

impl Drop for MysqlConnection {
    fn drop(&mut self) {
        self.heartbeat = None;
        if self.busy.load(Ordering::SeqCst) {
            // The server would go on with the statement, and keep the lock until it ends.
            self.kill.clone().end_in_background();
        }
        if let Ok(mut wire) = self.wire.try_lock() {
            *wire = None;
        }
    }
}

#[async_trait]
impl Connection for MysqlConnection {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    fn user(&self) -> Option<&str> {
        self.facts
            .user
            .as_deref()
            .map(|account| account.split('@').next().unwrap_or(account))
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Row>, CommandError> {
        let mut wire = reach(&self.wire)
            .await
            .map_err(|error| CommandError::new(0, error))?;
        let asked = wire.run(sql).await;
        drop(wire);
        match asked {
            Ok(sets) => Ok(sets.into_iter().next().unwrap_or_default()),
            Err(broken) => Err(self.lost(error::failure(0, sql, broken.error)).await),
        }
    }

    async fn run(
        &mut self,
        pieces: &[Command<'_>],
        done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        let limit = self.script().statement_timeout;
        let mut wire = reach(&self.wire)
            .await
            .map_err(|error| CommandError::new(0, error))?;
        let ran = crate::pieces::run(&mut wire, &self.kill, limit, pieces, done).await;
        self.in_transaction = wire.in_transaction();
        drop(wire);
        match ran {
            Ok(()) => Ok(()),
            Err(failure) => Err(self.lost(failure).await),
        }
    }

    async fn history_schema(&mut self) -> Result<Option<String>> {
        Ok(Some(self.home.clone()))
    }

    async fn ensure_schema(&mut self, schema: &str) -> Result<()> {
        let made = ensure(&mut *reach(&self.wire).await?, schema).await;
        self.judged(made.map_err(error::plain)).await
    }

    fn lock_condition(&self, key: &LockKey) -> Option<String> {
        Some(lock::condition(&self.lock_name(key)))
    }

    fn prepare(&self, work: &MigrationContext<'_>) -> Vec<String> {
        *self.script() = Script {
            statement_timeout: work.statement_timeout,
            luggage: Luggage::of(work.migration),
        };
        settings::before_migration(work, &self.home)
    }

    fn after_session_setting(&self, statement: &str) -> Vec<String> {
        match self.silence {
            Some(_) if statement.to_ascii_lowercase().contains("_timeout") => {
                vec![settings::silence(self.silence)]
            }
            _ => Vec::new(),
        }
    }

    fn before_commit(&self, _migration: &Migration) -> Vec<Command<'static>> {
        Vec::new()
    }

    fn allows_transaction(&self, statement: &str) -> bool {
        !matches!(classify(statement), Class::Ddl(_))
    }

    async fn statement_mode(&mut self, statement: &str) -> Result<StatementMode> {
        let manner = self.manner_of(statement).await;
        self.judged(manner).await
    }

    fn has_session_state(&self) -> bool {
        self.script().luggage.is_any()
    }

    async fn keepsake(&mut self, statement: &str) -> Result<Option<String>> {
        let packed = self.pack(statement).await;
        self.judged(packed).await
    }

    async fn restore(&mut self, keepsake: &str) -> Result<()> {
        let unpacked = self.unpack(keepsake).await;
        self.judged(unpacked).await
    }

    fn in_transaction(&self) -> Option<bool> {
        Some(self.in_transaction)
    }

    async fn resolve_with_snapshot(&mut self, statement: &str, before: Option<&str>) -> Result<Resolution> {
        let mut wire = reach(&self.wire).await?;
        let settled = schema::settle(&mut wire, &self.facts, &self.home, statement, before).await;
        drop(wire);
        self.judged(settled).await
    }

    fn default_lock_strategy(&self) -> LockStrategy {
        if self.facts.clustered {
            LockStrategy::Table
        } else {
            LockStrategy::Advisory
        }
    }

    async fn set_idle_timeout(&mut self, silence: Option<Duration>) -> Result<()> {
        self.heartbeat = None;
        let sql = settings::silence(silence);
        let set = reach(&self.wire).await?.execute(&sql).await;
        self.judged(set.map_err(error::plain)).await?;
        self.silence = silence;
        self.heartbeat = silence.map(|silence| Heartbeat::start(&self.wire, silence));
        Ok(())
    }

    fn session_exists_sql(&self) -> Option<String> {
        let (here, id) = (self.facts.is_this_server(), self.facts.connection);
        Some(format!(
            "NOT ({here}) OR EXISTS (SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = {id})"
        ))
    }

    async fn open_sibling(&mut self) -> Result<Box<dyn Connection>> {
        let wire = self.gangway.open_another().await?;
        match Self::begin(self.gangway.clone(), wire, Some(self.home.clone())).await {
            Ok(opened) => Ok(Box::new(opened)),
            Err(error) if error.kind() == ErrorKind::SessionLost => Err(error.with_status(Status::ConnectionLost)),
            Err(error) => Err(error),
        }
    }

    fn must_check_table_lock(&self) -> bool {
        // On a cluster there is no other lock.
        !self.facts.clustered
    }

    async fn native_lock_held_by_other(&mut self, key: &LockKey) -> Result<bool> {
        let name = self.lock_name(key);
        let used = lock::is_used(&mut *reach(&self.wire).await?, &name).await;
        self.judged(used).await
    }

    async fn end_holder(&mut self, session: &str, since: Option<&str>) -> Result<bool> {
        let Some(id) = self.facts.own_session(session) else {
            // Of another node: what it had begun there is in order before our taking the row, or fails by it.
            return Ok(true);
        };
        let mut wire = reach(&self.wire).await?;
        let ended = end::end_vanished(&mut wire, &self.facts, id, since).await;
        drop(wire);
        self.judged(ended).await
    }

    fn ending(&self, session: &str) -> Option<String> {
        Some(match session.split_once('@') {
            Some((number, node)) if !self.reaches(session) => {
                format!(
                    "run at the node {node}, as an administrator or as the holder's own account: KILL {number}"
                )
            }
            Some((number, _)) => format!("KILL {number}"),
            None => format!("KILL {session}"),
        })
    }

    fn reaches(&self, session: &str) -> bool {
        self.facts.own_session(session).is_some()
    }

    fn session_id(&self) -> Option<String> {
        Some(self.facts.session_id())
    }

    fn canceller(&self) -> Arc<dyn Canceller> {
        Arc::new(self.kill.clone())
    }

    async fn close(mut self) -> Result<()> {
        self.heartbeat = None;
        match self.wire.lock().await.take() {
            Some(wire) => wire.close().await.map_err(error::plain),
            None => Ok(()),
        }
    }
}
