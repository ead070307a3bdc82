use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lockage_core::{
    Canceller, ConnectOptions, Error, ErrorKind, LockHolder, LockKey, LockProvider, Result,
};
use lockage_sql::{Connection, Dialect, CommandError, Command, AssertionError, Row, MigrationContext};

use crate::address::Address;
use crate::attachment::Attachment;
use crate::dialect::DIALECT;
use crate::error::failure;
use crate::lock;
use crate::worker::{Reach, Worker};

#[derive(Debug)]
pub(crate) struct FirebirdConnection {
    worker: Worker,
    user: String,
    limits: Mutex<Limits>,
}

/// The times of the migration in hand.
#[derive(Debug, Default, Clone, Copy)]
struct Limits {
    statement: Option<Duration>,
    wait: Option<Duration>,
}

impl Limits {
    /// Firebird knows whole seconds, and zero is no wait at all.
    fn seconds(self) -> Option<u32> {
        self.wait
            .map(|wait| wait.as_secs_f64().ceil().max(1.0) as u32)
    }
}

impl FirebirdConnection {
    pub(crate) async fn open(address: Address, options: &ConnectOptions) -> Result<Self> {
        let user = address.config.user.clone();
        let start = Worker::start(address.clone(), options.create);
        let worker = tokio::time::timeout(options.connect_timeout, start)
            .await
            .map_err(|_| {
                Error::new(
                    ErrorKind::Connect,
                    format!(
                        "no answer from {address:?} in {:?}",
                        options.connect_timeout
                    ),
                )
            })??;
        Ok(Self {
            worker,
            user,
            limits: Mutex::default(),
        })
    }

    async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Attachment) -> Result<T, rsfbclient_core::FbError> + Send + 'static,
    ) -> Result<T, CommandError> {
        let answer = self.worker.ask(job).await;
        answer
            .map_err(|error| CommandError::new(0, error))?
            .map_err(|error| failure(0, error))
    }

    /// Runs a statement of a script; one that takes too long is cancelled.
    async fn script(&self, sql: &str, limits: Limits) -> Result<(), CommandError> {
        let sql = sql.to_owned();
        let work = self.ask(move |own| own.run(&sql));
        let Some(limit) = limits.statement else {
            return work.await;
        };
        let mut work = std::pin::pin!(work);
        if let Ok(ended) = tokio::time::timeout(limit, &mut work).await {
            return ended;
        }
        let late = Error::new(
            ErrorKind::MigrationFailed,
            format!("the statement ran longer than its statement timeout of {limit:?}"),
        );
        self.canceller()
            .cancel()
            .await
            .map_err(|error| CommandError::new(0, error))?;
        work.await.map_err(|failure| CommandError {
            error: late,
            ..failure
        })
    }

    fn limits(&self) -> Limits {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl LockProvider for FirebirdConnection {
    async fn try_lock(&mut self, key: &LockKey) -> Result<bool> {
        let name = lock::name(key);
        Ok(self.ask(move |own| own.try_lock(&name)).await?)
    }

    async fn holds(&mut self, key: &LockKey) -> Result<bool> {
        let name = lock::name(key);
        Ok(self.ask(move |own| own.holds_lock(&name)).await?)
    }

    async fn unlock(&mut self, key: &LockKey) -> Result<()> {
        let name = lock::name(key);
        if self.ask(move |own| own.unlock(&name)).await? {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::LockLost,
            format!("this session did not hold the lock {key}"),
        ))
    }

    async fn holder(&mut self, key: &LockKey) -> Result<Option<LockHolder>> {
        let name = lock::name(key);
        Ok(self.ask(move |own| own.holder(&name)).await?)
    }

    fn native_lock_name(&self, key: &LockKey) -> String {
        lock::name(key)
    }

    async fn terminate_holder(&mut self, key: &LockKey, holder: &LockHolder) -> Result<()> {
        let still = self.holder(key).await?;
        let session = still
            .and_then(|still| still.session)
            .filter(|session| Some(session) == holder.session.as_ref());
        let Some(session) = session else {
            return Ok(());
        };
        let end = format!("DELETE FROM MON$ATTACHMENTS WHERE MON$ATTACHMENT_ID = {session}");
        Ok(self.ask(move |own| own.run(&end)).await?)
    }
}

#[async_trait]
impl Connection for FirebirdConnection {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    fn user(&self) -> Option<&str> {
        Some(&self.user)
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<Row>, CommandError> {
        let sql = sql.to_owned();
        self.ask(move |own| own.query(&sql)).await
    }

    async fn run(
        &mut self,
        pieces: &[Command<'_>],
        done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        let limits = self.limits();
        for (index, piece) in pieces.iter().enumerate() {
            let outcome = match piece {
                Command::Internal(sql) => {
                    let (sql, wait) = (sql.to_string(), limits.seconds());
                    self.ask(move |own| {
                        own.wait = wait;
                        own.run(&sql)
                    })
                    .await
                }
                Command::Script(sql) => self.script(sql, limits).await,
                Command::Assert(condition, refusal) => self.require(condition, refusal).await,
            };
            outcome.map_err(|failure| CommandError {
                piece: index,
                ..failure
            })?;
            done(index);
        }
        Ok(())
    }

    async fn ensure_schema(&mut self, _schema: &str) -> Result<()> {
        Err(Error::new(
            ErrorKind::InvalidConfig,
            "Firebird has no schemas",
        ))
    }

    fn prepare(&self, work: &MigrationContext<'_>) -> Vec<String> {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = Limits {
            statement: work.statement_timeout,
            wait: work.ddl_lock_timeout,
        };
        Vec::new()
    }

    fn allows_transaction(&self, _statement: &str) -> bool {
        true
    }

    fn canceller(&self) -> Arc<dyn Canceller> {
        Arc::new(Stop(self.worker.reach()))
    }

    async fn close(self) -> Result<()> {
        self.worker.close().await
    }
}

impl FirebirdConnection {
    async fn require(&self, condition: &str, refusal: &AssertionError) -> Result<(), CommandError> {
        let ask = format!("SELECT 1 FROM RDB$DATABASE WHERE {condition}");
        let rows = self.ask(move |own| own.query(&ask)).await?;
        if rows.is_empty() {
            return Err(CommandError::new(0, refusal.clone().into()));
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Stop(Reach);

#[async_trait]
impl Canceller for Stop {
    async fn cancel(&self) -> Result<()> {
        let reach = self.0.clone();
        let asked = tokio::task::spawn_blocking(move || reach.delete("MON$STATEMENTS")).await;
        asked
            .map_err(|error| Error::new(ErrorKind::Unexpected, error.to_string()))?
            .map_err(|error| failure(0, error).error)
    }
}
