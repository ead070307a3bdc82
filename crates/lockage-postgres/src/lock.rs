//! The lock of a session.

use async_trait::async_trait;
use lockage_core::{
    Error, ErrorKind, FoundTable, LockHolder, LockKey, LockProvider, ForeignLock, Result,
};
use lockage_sql::{LOCK_TABLE, Row};

use crate::backend_pid::backend_pid;
use crate::connection::PostgresConnection;
use crate::dialect::literal;
use crate::end;
use crate::holder;
use crate::key;
use crate::neighbour;
use crate::pooler::{self, Pooling, Way};
use crate::settings;
use crate::standing::{self, STANDBY};

#[async_trait]
impl LockProvider for PostgresConnection {
    async fn try_lock(&mut self, key: &LockKey) -> Result<bool> {
        loop {
            let way = match self.way {
                Way::Unknown => self.find_way().await?,
                Way::Shared => return Err(pooler::shared(key)),
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
                Answer::OtherProcess => self.look_behind_pooler().await?,
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
        let rows = self.link.query(&holder::look(key)).await?;
        Ok(rows.into_iter().next().map(holder::read))
    }

    fn native_lock_name(&self, key: &LockKey) -> String {
        key::advisory_number(key).to_string()
    }

    async fn foreign_lock_keys(&mut self, neighbour: &ForeignLock) -> Result<Vec<LockKey>> {
        neighbour::locks(&mut self.link, neighbour).await
    }

    async fn find_tables(&mut self, names: &[String]) -> Result<Vec<FoundTable>> {
        neighbour::tables(&mut self.link, names).await
    }

    async fn terminate_holder(&mut self, key: &LockKey, holder: &LockHolder) -> Result<()> {
        end::end(&mut self.link, key, holder).await
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
    /// Finds out what a pooler does with sessions. Where that does not come out, it counts as one that shares them.
    pub(crate) async fn look_behind_pooler(&mut self) -> Result<()> {
        let pooling = pooler::pooling(&mut self.link, &self.address, &self.tls).await?;
        self.way = match pooling {
            Pooling::Session => Way::SessionPooled,
            Pooling::Statement => return Err(pooler::no_transactions()),
            _ if self.address.role.is_some() => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "a pooler that keeps no session for a client stands before the server: a role that is taken there is not ours alone",
                )
                .with_hint("log in as that role, and take role= out of the URL"));
            }
            Pooling::Transaction | Pooling::Unclear => Way::Shared,
        };
        Ok(())
    }

    pub(crate) async fn find_way(&mut self) -> Result<Way> {
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
        // The table is looked for behind the try, and with a snapshot that is newer.
        let lock = format!(
            "SELECT CASE WHEN NOT {guard} THEN NULL WHEN {ours} THEN true \
             ELSE pg_catalog.pg_try_advisory_lock({}) END; \
             SELECT {ours}, EXISTS (SELECT 1 FROM pg_catalog.pg_class WHERE relname = {}), pg_catalog.pg_postmaster_start_time(), {STANDBY}",
            key::advisory_number(key),
            literal(LOCK_TABLE),
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
        let value = |row: &Row, column: usize| row.get(column).cloned().flatten();
        let answer = match value(answer, 0).as_deref() {
            None => return Ok(Answer::OtherProcess),
            Some("t") => Answer::Got(value(seen, 0).as_deref() == Some("t")),
            Some(_) => Answer::Busy,
        };
        standing::refuse_standby(value(seen, 3).as_deref())?;
        self.must_check_table_lock = value(seen, 1).as_deref() != Some("f");
        self.link.note_server_start(value(seen, 2));
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
