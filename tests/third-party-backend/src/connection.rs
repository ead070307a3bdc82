//! The connection: the traits that Lockage needs for an SQL engine.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lockage_core::{
    Canceller, ConnectOptions, Error, ErrorKind, LockHolder, LockKey, LockProvider, Result,
};
use lockage_sql::{
    AssertionError, Command, CommandError, Connection, Dialect, LeaseSupport, MigrationContext,
    Recovery, Row, ScriptHooks, lock_not_held_error, timeout_error,
};
use rsfbclient_core::FbError;

use crate::attachment::Attachment;
use crate::cancel::FirebirdCanceller;
use crate::config::ConnectConfig;
use crate::dialect::DIALECT;
use crate::error::command_error;
use crate::lock;
use crate::worker::Worker;

#[derive(Debug)]
pub(crate) struct FirebirdConnection {
    worker: Worker,
    user: String,
    limits: TimeLimits,
}

/// The time limits of the current migration.
#[derive(Debug, Default, Clone, Copy)]
struct TimeLimits {
    statement: Option<Duration>,
    lock_wait: Option<Duration>,
}

impl TimeLimits {
    /// Rounds up to whole seconds, which Firebird needs, with a minimum of one: zero means not to wait.
    fn lock_wait_secs(self) -> Option<u32> {
        self.lock_wait
            .map(|wait| wait.as_secs_f64().ceil().max(1.0) as u32)
    }
}

impl FirebirdConnection {
    pub(crate) async fn open(config: ConnectConfig, options: &ConnectOptions) -> Result<Self> {
        let user = config.attachment.user.clone();
        let start = Worker::start(config.clone(), options.create);
        let worker = tokio::time::timeout(options.connect_timeout, start)
            .await
            .map_err(|_| {
                Error::new(
                    ErrorKind::Connect,
                    format!(
                        "{config:?} did not answer within {:?}",
                        options.connect_timeout
                    ),
                )
            })??;
        Ok(Self {
            worker,
            user,
            limits: TimeLimits::default(),
        })
    }

    /// Runs `job` on the thread of the attachment.
    async fn call<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Attachment) -> Result<T, FbError> + Send + 'static,
    ) -> Result<T, CommandError> {
        let result = self.worker.call(job).await;
        result
            .map_err(|error| CommandError::new(0, error))?
            .map_err(command_error)
    }

    async fn run_internal(&self, sql: String) -> Result<(), CommandError> {
        let wait_secs = self.limits.lock_wait_secs();
        self.call(move |attachment| {
            attachment.wait_secs = wait_secs;
            attachment.execute(&sql)
        })
        .await
    }

    /// Runs a statement of a script, and cancels it after the statement timeout.
    async fn run_script(&self, sql: &str) -> Result<(), CommandError> {
        let sql = sql.to_owned();
        let execution = self.call(move |attachment| attachment.execute(&sql));
        let Some(timeout) = self.limits.statement else {
            return execution.await;
        };
        let mut execution = std::pin::pin!(execution);
        if let Ok(finished) = tokio::time::timeout(timeout, &mut execution).await {
            return finished;
        }
        self.canceller()
            .cancel()
            .await
            .map_err(|error| CommandError::new(0, error))?;
        execution
            .await
            .map_err(|failure| failure.map_error(|_| timeout_error(timeout)))
    }

    async fn check(&self, condition: &str, error: &AssertionError) -> Result<(), CommandError> {
        let sql = format!("SELECT 1 FROM RDB$DATABASE WHERE {condition}");
        let rows = self.call(move |attachment| attachment.query(&sql)).await?;
        if rows.is_empty() {
            return Err(CommandError::new(0, error.clone().into()));
        }
        Ok(())
    }
}

#[async_trait]
impl LockProvider for FirebirdConnection {
    async fn try_lock(&mut self, key: &LockKey) -> Result<bool> {
        let name = lock::lock_name(key);
        Ok(self
            .call(move |attachment| attachment.try_lock(&name))
            .await?)
    }

    async fn holds(&mut self, key: &LockKey) -> Result<bool> {
        let name = lock::lock_name(key);
        Ok(self.call(move |attachment| attachment.holds(&name)).await?)
    }

    async fn unlock(&mut self, key: &LockKey) -> Result<()> {
        let name = lock::lock_name(key);
        match self
            .call(move |attachment| attachment.unlock(&name))
            .await?
        {
            true => Ok(()),
            false => Err(lock_not_held_error(key)),
        }
    }

    async fn holder(&mut self, key: &LockKey) -> Result<Option<LockHolder>> {
        let name = lock::lock_name(key);
        Ok(self
            .call(move |attachment| attachment.holder(&name))
            .await?)
    }

    fn native_lock_name(&self, key: &LockKey) -> String {
        lock::lock_name(key)
    }

    async fn terminate_holder(&mut self, key: &LockKey, holder: &LockHolder) -> Result<()> {
        let current = self.holder(key).await?.and_then(|current| current.session);
        match current {
            Some(session) if Some(&session) == holder.session.as_ref() => {
                let terminate =
                    format!("DELETE FROM MON$ATTACHMENTS WHERE MON$ATTACHMENT_ID = {session}");
                Ok(self
                    .call(move |attachment| attachment.execute(&terminate))
                    .await?)
            }
            _ => Ok(()),
        }
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
        self.call(move |attachment| attachment.query(&sql)).await
    }

    async fn execute(
        &mut self,
        commands: &[Command<'_>],
        on_done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        for (index, command) in commands.iter().enumerate() {
            let outcome = match command {
                Command::Internal(sql) => self.run_internal(sql.to_string()).await,
                Command::Script(sql) => self.run_script(sql).await,
                Command::Assert(condition, error) => self.check(condition, error).await,
                command => Err(CommandError::new(
                    index,
                    Error::new(
                        ErrorKind::Unsupported,
                        format!("this backend does not know the command {command:?}"),
                    ),
                )),
            };
            outcome.map_err(|failure| failure.at_command(index))?;
            on_done(index);
        }
        Ok(())
    }

    async fn ensure_schema(&mut self, _schema: &str) -> Result<()> {
        Err(Error::new(
            ErrorKind::InvalidConfig,
            "Firebird has no schemas",
        ))
    }

    fn canceller(&self) -> Arc<dyn Canceller> {
        Arc::new(FirebirdCanceller(self.worker.session_control()))
    }

    async fn close(self) -> Result<()> {
        self.worker.close().await
    }
}

#[async_trait]
impl ScriptHooks for FirebirdConnection {
    fn allows_transaction(&self, _statement: &str) -> bool {
        true
    }

    fn begin_migration(&mut self, migration: &MigrationContext<'_>) -> Vec<String> {
        self.limits = TimeLimits {
            statement: migration.statement_timeout,
            lock_wait: migration.ddl_lock_timeout,
        };
        Vec::new()
    }
}

impl Recovery for FirebirdConnection {}

impl LeaseSupport for FirebirdConnection {}
