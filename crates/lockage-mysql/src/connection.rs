use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use lockage_core::{
    Canceller, ConnectOptions, Error, ErrorKind, LockHolder, LockKey, LockProvider, LockStrategy,
    Migration, Result,
};
use lockage_sql::{Connection, Dialect, Failure, Manner, Piece, Row, Settled, Work};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use crate::connect::Gangway;
use crate::dialect::{DIALECT, backticked, literal};
use crate::error;
use crate::facts::{Facts, QUESTIONS};
use crate::heartbeat::{Heartbeat, SharedWire};
use crate::keepsake::Luggage;
use crate::kill::KillSwitch;
use crate::lock;
use crate::schema;
use crate::settings;
use crate::statement::{Class, Deed, classify, mentions};
use crate::wire::Wire;

/// After how long a silence the server ends the session of a holder.
const SILENCE: Duration = Duration::from_secs(20);

/// One session on a server.
#[derive(Debug)]
pub(crate) struct MysqlConnection {
    wire: SharedWire,
    /// Whether a call to the server was begun and has not come back.
    busy: Arc<AtomicBool>,
    gangway: Gangway,
    facts: Facts,
    /// The database in which history and unqualified names stand.
    home: String,
    kill: KillSwitch,
    heartbeat: Option<Heartbeat>,
    /// Of the migration in hand.
    work: std::sync::Mutex<Script>,
    /// The tables, in lower case, whose engines have no transactions; `None` when that must be asked again.
    without_transactions: Option<Vec<String>>,
    in_transaction: bool,
}

/// What is known of the script in hand.
#[derive(Debug, Default)]
struct Script {
    statement_timeout: Option<Duration>,
    luggage: Luggage,
}

impl MysqlConnection {
    pub(crate) async fn open(gangway: Gangway, options: &ConnectOptions) -> Result<Self> {
        let wire = gangway.open_or_create(options.create).await?;
        let home = options.schema.clone();
        let opened = Self::begin(gangway.clone(), wire, home);
        match tokio::time::timeout(options.connect_timeout, opened).await {
            Ok(opened) => opened,
            Err(_) => Err(Error::new(
                ErrorKind::Connect,
                format!(
                    "{} did not answer within {:?}",
                    options.url, options.connect_timeout
                ),
            )
            .retryable()),
        }
    }

    async fn begin(gangway: Gangway, mut wire: Wire, schema: Option<String>) -> Result<Self> {
        let sets = wire
            .run(&format!("{}; {QUESTIONS}", settings::beginning()))
            .await;
        let sets = sets.map_err(|broken| error::plain(broken.error))?;
        let [.., variables, session] = &sets[..] else {
            return Err(Error::new(
                ErrorKind::Connect,
                "the server does not answer questions on itself",
            ));
        };
        let facts = Facts::read(variables, session.first())?;
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
        let kill = KillSwitch::new(gangway.clone(), facts.connection, facts.identity.clone());
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
            work: std::sync::Mutex::default(),
            without_transactions: None,
            in_transaction: false,
        })
    }

    /// The lock's name: of the database that the URL names, whatever the schema.
    fn lock_name(&self, key: &LockKey) -> String {
        lock::lock_name(
            key,
            self.facts
                .database
                .as_deref()
                .unwrap_or_else(|| self.gangway.database()),
        )
    }

    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.work
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn take_luggage(&self) -> Luggage {
        std::mem::take(&mut self.script().luggage)
    }

    /// The class of a statement, that of the prepared one for an `EXECUTE`, and the text that really runs where it is another.
    fn class_of(&self, statement: &str) -> (Class, Option<String>) {
        match classify(statement) {
            Class::Execute(name) => match self.script().luggage.text_of(&name) {
                Some(text) => (classify(text), Some(text.to_owned())),
                None => (Class::Data, None),
            },
            class => (class, None),
        }
    }

    /// Whether a statement mentions a table whose engine has no transactions.
    async fn writes_without_transaction(&mut self, statement: &str) -> Result<bool> {
        if self.without_transactions.is_none() {
            let sql = format!(
                "SELECT LOWER(t.TABLE_NAME) FROM information_schema.TABLES t JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE \
                 WHERE t.TABLE_SCHEMA IN (DATABASE(), {}) AND e.TRANSACTIONS <> 'YES'",
                literal(&self.home)
            );
            let sets = reach(&self.wire)
                .await?
                .run(&sql)
                .await
                .map_err(|broken| error::plain(broken.error))?;
            let names = sets
                .into_iter()
                .flatten()
                .filter_map(|row| row.into_iter().next()?)
                .collect();
            self.without_transactions = Some(names);
        }
        let tables = self.without_transactions.as_deref().unwrap_or_default();
        Ok(!tables.is_empty() && mentions(statement).any(|name| tables.contains(&name)))
    }
}

/// The connection, for one call.
async fn reach(wire: &SharedWire) -> Result<MappedMutexGuard<'_, Wire>> {
    MutexGuard::try_map(wire.lock().await, Option::as_mut)
        .map_err(|_| Error::new(ErrorKind::SessionLost, "the session has ended").retryable())
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
impl LockProvider for MysqlConnection {
    async fn try_lock(&mut self, key: &LockKey) -> Result<bool> {
        let name = self.lock_name(key);
        if self.facts.clustered {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "GET_LOCK is known to one node of a cluster only and excludes nobody on the others",
            )
            .with_hint("leave --lock-strategy out, or make it table"));
        }
        let got = lock::try_lock(&mut *reach(&self.wire).await?, key, &name).await?;
        if got && self.heartbeat.is_none() {
            self.prove_alive(Some(SILENCE)).await?;
        }
        Ok(got)
    }

    async fn holds(&mut self, key: &LockKey) -> Result<bool> {
        let name = self.lock_name(key);
        lock::holds(&mut *reach(&self.wire).await?, &name).await
    }

    async fn unlock(&mut self, key: &LockKey) -> Result<()> {
        let name = self.lock_name(key);
        lock::unlock(&mut *reach(&self.wire).await?, key, &name).await?;
        self.prove_alive(None).await
    }

    async fn holder(&mut self, key: &LockKey) -> Result<Option<LockHolder>> {
        let name = self.lock_name(key);
        lock::holder(&mut *reach(&self.wire).await?, &name).await
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

    async fn query(&mut self, sql: &str) -> Result<Vec<Row>, Failure> {
        let mut wire = reach(&self.wire)
            .await
            .map_err(|error| Failure::new(0, error))?;
        let sets = wire
            .run(sql)
            .await
            .map_err(|broken| error::failure(0, sql, broken.error))?;
        Ok(sets.into_iter().next().unwrap_or_default())
    }

    async fn run(
        &mut self,
        pieces: &[Piece<'_>],
        done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), Failure> {
        let limit = self.script().statement_timeout;
        let mut wire = reach(&self.wire)
            .await
            .map_err(|error| Failure::new(0, error))?;
        let ran = crate::pieces::run(&mut wire, &self.kill, limit, pieces, done).await;
        self.in_transaction = wire.in_transaction();
        ran
    }

    async fn home_schema(&mut self) -> Result<Option<String>> {
        Ok(Some(self.home.clone()))
    }

    async fn ensure_schema(&mut self, schema: &str) -> Result<()> {
        let name = backticked(schema);
        let mut wire = reach(&self.wire).await?;
        match wire.execute(&format!("USE {name}")).await {
            Err(error) if error::number(&error) == Some(1049) => {}
            done => return done.map_err(error::plain),
        }
        let sql = format!("CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4; USE {name}");
        wire.run(&sql)
            .await
            .map(drop)
            .map_err(|broken| error::plain(broken.error))
    }

    fn lock_condition(&self, key: &LockKey) -> Option<String> {
        Some(lock::condition(&self.lock_name(key)))
    }

    fn prepare(&self, work: &Work<'_>) -> Vec<String> {
        *self.script() = Script {
            statement_timeout: work.statement_timeout,
            luggage: Luggage::of(work.migration),
        };
        settings::before_migration(work, &self.home)
    }

    fn before_commit(&self, _migration: &Migration) -> Vec<Piece<'static>> {
        Vec::new()
    }

    fn may_share_transaction(&self, statement: &str) -> bool {
        !matches!(classify(statement), Class::Ddl(_))
    }

    async fn manner(&mut self, statement: &str) -> Result<Manner> {
        let (class, effective) = self.class_of(statement);
        let text = effective.as_deref().unwrap_or(statement);
        let deed = match class {
            Class::Session => return Ok(Manner::Session),
            Class::Ddl(deed) => {
                // It may make such a table, or change one.
                self.without_transactions = None;
                deed
            }
            _ if self.writes_without_transaction(text).await? => Deed::Opaque,
            _ => return Ok(Manner::Shared),
        };
        let mut wire = reach(&self.wire).await?;
        let before = schema::before(
            &mut wire,
            &self.facts,
            &self.home,
            &deed,
            effective.as_deref(),
        )
        .await?;
        Ok(Manner::Alone {
            before: Some(before),
        })
    }

    fn keeps_session(&self) -> bool {
        self.script().luggage.is_any()
    }

    async fn keepsake(&mut self, statement: &str) -> Result<Option<String>> {
        let mut luggage = self.take_luggage();
        let mut wire = reach(&self.wire).await?;
        luggage.note(&mut wire, statement).await?;
        let packed = luggage.pack(&mut wire).await;
        drop(wire);
        self.script().luggage = luggage;
        packed
    }

    async fn restore(&mut self, keepsake: &str) -> Result<()> {
        let mut luggage = self.take_luggage();
        luggage
            .unpack(&mut *reach(&self.wire).await?, keepsake)
            .await?;
        self.script().luggage = luggage;
        Ok(())
    }

    fn in_transaction(&self) -> Option<bool> {
        Some(self.in_transaction)
    }

    async fn settle_since(&mut self, statement: &str, before: Option<&str>) -> Result<Settled> {
        let mut wire = reach(&self.wire).await?;
        schema::settle(&mut wire, &self.facts, &self.home, statement, before).await
    }

    fn best_lock(&self) -> LockStrategy {
        if self.facts.clustered {
            LockStrategy::Table
        } else {
            LockStrategy::Advisory
        }
    }

    async fn prove_alive(&mut self, silence: Option<Duration>) -> Result<()> {
        self.heartbeat = None;
        let limit = silence.map_or_else(
            || "DEFAULT".to_owned(),
            |silence| silence.as_secs().max(1).to_string(),
        );
        let sql = format!("SET SESSION wait_timeout = {limit}");
        reach(&self.wire)
            .await?
            .execute(&sql)
            .await
            .map_err(error::plain)?;
        self.heartbeat = silence.map(|silence| Heartbeat::start(&self.wire, silence));
        Ok(())
    }

    async fn another(&mut self) -> Result<Box<dyn Connection>> {
        let wire = self.gangway.open().await?;
        let opened = Self::begin(self.gangway.clone(), wire, Some(self.home.clone())).await?;
        Ok(Box::new(opened))
    }

    fn session_name(&self) -> Option<String> {
        Some(self.facts.connection.to_string())
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
