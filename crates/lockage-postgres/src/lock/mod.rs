//! The lock: a session-level advisory lock.

pub(crate) mod holder;
pub(crate) mod key;
mod terminate;

use async_trait::async_trait;
use lockage_core::{
    Error, ErrorKind, ForeignLock, FoundTable, LockHolder, LockKey, LockProvider, Result,
};
use lockage_sql::{LOCK_TABLE, Row, lock_not_held_error};

use crate::connection::PostgresConnection;
use crate::dialect::{literal, to_bool};
use crate::foreign_lock;
use crate::pool_mode::{PoolMode, transaction_pooling_error};
use crate::session_settings;
use crate::standby::{IS_STANDBY_SQL, reject_standby};

#[async_trait]
impl LockProvider for PostgresConnection {
    async fn try_lock(&mut self, key: &LockKey) -> Result<bool> {
        loop {
            let pool_mode = match self.pool_mode {
                PoolMode::Unknown => self.detect_pool_mode().await?,
                PoolMode::Transaction => return Err(transaction_pooling_error(key)),
                mode => mode,
            };
            match self.request_lock(key, pool_mode).await? {
                LockReply::Acquired { is_listed } => {
                    // Through a pooler, only a separate query proves that the session still holds the lock.
                    let is_held = match pool_mode {
                        PoolMode::Session => self.holds(key).await?,
                        _ => is_listed,
                    };
                    return if is_held {
                        self.held_locks.insert(key::advisory_lock_id(key));
                        Ok(true)
                    } else {
                        Err(lock_not_listed_error())
                    };
                }
                LockReply::Busy => return Ok(false),
                LockReply::OtherProcess => self.probe_pooler().await?,
            }
        }
    }

    async fn holds(&mut self, key: &LockKey) -> Result<bool> {
        let query = format!("SELECT {}", key::held_by_us_sql(key));
        Ok(to_bool(self.driver.query_value(&query).await?.as_deref()))
    }

    async fn unlock(&mut self, key: &LockKey) -> Result<()> {
        let id = key::advisory_lock_id(key);
        let query = format!("SELECT pg_catalog.pg_advisory_unlock({id})");
        self.held_locks.remove(&id);
        if to_bool(self.driver.query_value(&query).await?.as_deref()) {
            Ok(())
        } else {
            Err(lock_not_held_error(key))
        }
    }

    async fn holder(&mut self, key: &LockKey) -> Result<Option<LockHolder>> {
        let rows = self.driver.query(&holder::find_holder(key)).await?;
        Ok(rows.into_iter().next().map(holder::from_row))
    }

    fn native_lock_name(&self, key: &LockKey) -> String {
        key::advisory_lock_id(key).to_string()
    }

    async fn foreign_lock_keys(&mut self, foreign_lock: &ForeignLock) -> Result<Vec<LockKey>> {
        foreign_lock::keys(&mut self.driver, foreign_lock).await
    }

    async fn find_tables(&mut self, names: &[String]) -> Result<Vec<FoundTable>> {
        foreign_lock::find_tables(&mut self.driver, names).await
    }

    async fn terminate_holder(&mut self, key: &LockKey, holder: &LockHolder) -> Result<()> {
        terminate::terminate_session(&mut self.driver, key, holder).await
    }
}

/// The server's reply to a request for the lock.
enum LockReply {
    /// This session acquired the lock. `is_listed`: `pg_locks` lists it.
    Acquired { is_listed: bool },
    /// Another session holds it.
    Busy,
    /// The process that answered is not the one that started the connection. The lock was not requested.
    OtherProcess,
}

impl PostgresConnection {
    /// Requests the lock in a statement of its own: the transactions that it protects start later, and so see what the previous
    /// holder committed.
    async fn request_lock(&mut self, key: &LockKey, pool_mode: PoolMode) -> Result<LockReply> {
        let is_own_process = match pool_mode {
            PoolMode::Direct(pid) => format!("pg_catalog.pg_backend_pid() = {pid}"),
            _ => "true".to_owned(),
        };
        let rows = self.send_lock_request(key, &is_own_process).await?;
        let [.., reply, state] = &rows[..] else {
            return Err(lock_not_listed_error());
        };
        let value = |row: &Row, column: usize| row.get(column).cloned().flatten();
        let reply = match value(reply, 0).as_deref() {
            None => return Ok(LockReply::OtherProcess),
            Some("t") => LockReply::Acquired {
                is_listed: to_bool(value(state, 0).as_deref()),
            },
            Some(_) => LockReply::Busy,
        };
        reject_standby(value(state, 3).as_deref())?;
        self.must_check_table_lock = value(state, 1).as_deref() != Some("f");
        self.driver.set_server_start(value(state, 2));
        self.has_settings = true;
        Ok(reply)
    }

    /// Applies the settings of the session, if they are not in effect yet, and requests the lock in the same round trip.
    async fn send_lock_request(&mut self, key: &LockKey, is_own_process: &str) -> Result<Vec<Row>> {
        let is_ours = key::held_by_us_sql(key);
        // The second statement has a newer snapshot: it sees a table that another session committed before the request.
        let request = format!(
            "SELECT CASE WHEN NOT {is_own_process} THEN NULL WHEN {is_ours} THEN true \
             ELSE pg_catalog.pg_try_advisory_lock({}) END; \
             SELECT {is_ours}, EXISTS (SELECT 1 FROM pg_catalog.pg_class WHERE relname = {}), \
             pg_catalog.pg_postmaster_start_time(), {IS_STANDBY_SQL}",
            key::advisory_lock_id(key),
            literal(LOCK_TABLE),
        );
        let rows = if self.has_settings || self.settings.is_empty() {
            self.driver.query(&request).await
        } else {
            let set = session_settings::set_config_query(&self.settings);
            let with_settings = format!("{set} WHERE {is_own_process}; {request}");
            match self.driver.query(&with_settings).await {
                // A compatible server may not know one of the settings: the lock is requested without them.
                Err(failure) if failure.error.kind() == ErrorKind::Unexpected => {
                    self.settings.clear();
                    self.driver.query(&request).await
                }
                reply => reply,
            }
        };
        rows.map_err(|failure| match failure.error.kind() {
            ErrorKind::Unexpected => Error::new(
                ErrorKind::Unsupported,
                format!(
                    "cannot acquire an advisory lock: {}",
                    failure.error.message()
                ),
            )
            .with_source(failure.error),
            _ => failure.error,
        })
    }
}

/// Returns the error of a lock that the server granted and does not list.
fn lock_not_listed_error() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "the server granted the lock, but pg_locks does not list it for this session; nothing was written",
    )
    .with_hint(
        "a pooler in transaction mode gives each statement another session, and some servers only simulate advisory locks; connect to \
         PostgreSQL directly or through session pooling",
    )
}
