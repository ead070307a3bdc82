//! The lock of a session.

use async_trait::async_trait;
use lockage_core::{Error, ErrorKind, LockHolder, LockKey, LockProvider, Result};
use lockage_sql::Row;

use crate::application;
use crate::backend_pid::backend_pid;
use crate::connection::PostgresConnection;
use crate::dialect::time_text;
use crate::key;
use crate::message::headline;
use crate::pooler::{self, Way};
use crate::settings;

#[async_trait]
impl LockProvider for PostgresConnection {
    async fn try_lock(&mut self, key: &LockKey) -> Result<bool> {
        loop {
            let way = match self.way {
                Way::Unknown => self.find_way().await?,
                way => way,
            };
            match self.ask_for_lock(key, way).await? {
                Answer::Got(seen) => {
                    // Through a pooler the look must be a query of its own, or it proves nothing.
                    let seen = if way == Way::SessionPooled {
                        self.holds(key).await?
                    } else {
                        seen
                    };
                    return if seen { Ok(true) } else { Err(not_exclusive()) };
                }
                Answer::Busy => return Ok(false),
                Answer::OtherProcess => {
                    pooler::keeps_sessions(&mut self.link, &self.address, &self.tls).await?;
                    self.way = Way::SessionPooled;
                }
            }
        }
    }

    async fn holds(&mut self, key: &LockKey) -> Result<bool> {
        let rows = self
            .link
            .query(&format!("SELECT {}", key::is_ours(key)))
            .await?;
        Ok(is_true(&rows, 0))
    }

    async fn unlock(&mut self, key: &LockKey) -> Result<()> {
        let rows = self
            .link
            .query(&format!(
                "SELECT pg_catalog.pg_advisory_unlock({})",
                key::advisory_number(key)
            ))
            .await?;
        if is_true(&rows, 0) {
            Ok(())
        } else {
            Err(Error::new(
                ErrorKind::LockLost,
                format!("this session did not hold the lock {key}"),
            ))
        }
    }

    async fn holder(&mut self, key: &LockKey) -> Result<Option<LockHolder>> {
        let look = format!(
            "SELECT l.pid, a.usename, coalesce(a.client_hostname, pg_catalog.host(a.client_addr)), a.application_name, {}, \
             CASE WHEN a.state = 'active' THEN a.query END FROM pg_catalog.pg_locks l \
             LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid WHERE l.pid IS NOT NULL AND {} LIMIT 1",
            time_text("a.backend_start"),
            key::is_the_lock(key),
        );
        let rows = self.link.query(&look).await?;
        Ok(rows.into_iter().next().map(holder))
    }
}

/// What the server says to a try.
enum Answer {
    /// The lock is ours, and whether the server's list of locks says so too.
    Got(bool),
    Busy,
    /// The process that answers is not the one that the connection began with. It was not asked for the lock.
    OtherProcess,
}

impl PostgresConnection {
    async fn find_way(&mut self) -> Result<Way> {
        self.way = match backend_pid(self.link.token()).await {
            Some(pid) => Way::Direct(pid),
            None => {
                return Err(Error::new(
                    ErrorKind::Unexpected,
                    "the process of the connection is not known",
                ));
            }
        };
        Ok(self.way)
    }

    /// Tries in a statement of its own; whatever the lock is to protect comes in later transactions, which see what the holder before
    /// has committed.
    async fn ask_for_lock(&mut self, key: &LockKey, way: Way) -> Result<Answer> {
        let guard = match way {
            Way::Direct(pid) => format!("pg_catalog.pg_backend_pid() = {pid}"),
            _ => "true".to_owned(),
        };
        let ours = key::is_ours(key);
        let lock = format!(
            "SELECT CASE WHEN NOT {guard} THEN NULL WHEN {ours} THEN true \
             ELSE pg_catalog.pg_try_advisory_lock({}) END; SELECT {ours}",
            key::advisory_number(key)
        );
        let rows = if self.is_set || self.settings.is_empty() {
            self.link.query(&lock).await
        } else {
            let set = settings::set(&self.settings);
            match self
                .link
                .query(&format!("{set} WHERE {guard}; {lock}"))
                .await
            {
                // A server that does not know one of them is asked without.
                Err(failure) if failure.error.kind() == ErrorKind::Unexpected => {
                    self.settings.clear();
                    self.link.query(&lock).await
                }
                answer => answer,
            }
        };
        let rows = rows.map_err(|failure| match failure.error.kind() {
            ErrorKind::Unexpected => Error::new(
                ErrorKind::Unsupported,
                format!("the server cannot lock for us: {}", failure.error.message()),
            )
            .with_source(failure.error),
            _ => failure.error,
        })?;
        let [.., answer, seen] = &rows[..] else {
            return Err(not_exclusive());
        };
        let value = |row: &Row| row.first().cloned().flatten();
        let answer = match value(answer).as_deref() {
            None => return Ok(Answer::OtherProcess),
            Some("t") => Answer::Got(value(seen).as_deref() == Some("t")),
            Some(_) => Answer::Busy,
        };
        self.is_set = true;
        Ok(answer)
    }
}

fn is_true(rows: &[Row], row: usize) -> bool {
    rows.get(row)
        .and_then(|row| row.first())
        .is_some_and(|value| value.as_deref() == Some("t"))
}

/// The lock that the server says it gave is not in its list.
fn not_exclusive() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "the server says that the lock was taken, and pg_locks does not show it for this session: it would not exclude anybody",
    )
    .with_hint(
        "a pooler in transaction mode gives each statement another session, and some servers only pretend to lock; connect to \
         PostgreSQL itself, or through session pooling",
    )
}

fn holder(row: Row) -> LockHolder {
    let mut columns = row.into_iter();
    let mut next = || columns.next().flatten().filter(|text| !text.is_empty());
    let mut holder = LockHolder::default();
    holder.session = next();
    holder.user = next();
    holder.host = next();
    holder.application = next();
    holder.since = next();
    holder.statement = next().map(|query| headline(&query).to_owned());
    if let Some((host, migration)) = holder.application.as_deref().and_then(application::read) {
        holder.migration = migration.map(str::to_owned);
        // Over a Unix socket, the server does not tell.
        holder.host = holder.host.or_else(|| Some(host.to_owned()));
    }
    holder
}
