//! One connection of the driver `mysql_async`, which returns all values as text.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lockage_core::{BoxFuture, Error};
use lockage_sql::Row;
use mysql_async::consts::StatusFlags;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};
use tokio::time::Instant;

use crate::driver_panic::catch_panic;
use crate::error;
use crate::value_kind::ValueKind;

/// The maximum number of attempts for a query that a cluster rolls back.
const MAX_QUERY_ATTEMPTS: u32 = 20;

/// How long the driver may take to close a connection. The server ends the session when the connection is dropped, too.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The rows of each statement of a text.
pub(crate) type ResultSets = Vec<Vec<Row>>;

/// One row as bytes, with the kinds of its columns.
pub(crate) type RawRow = Vec<(ValueKind, Option<Vec<u8>>)>;

/// A connection, never pooled: a pool would keep the session, and its locks, open after use.
#[derive(Debug)]
pub(crate) struct DriverConnection {
    conn: Conn,
    is_busy: Arc<AtomicBool>,
    last_use: Instant,
    /// For how long the client had been idle when the last call started.
    idle_time: Duration,
    /// Watches the server while a reply is outstanding.
    monitor: Option<Box<dyn Monitor>>,
    /// Why no reply can arrive any more.
    lost: Option<&'static str>,
}

/// Watches whether a reply can still arrive.
pub(crate) trait Monitor: fmt::Debug + Send + Sync {
    /// Waits until no reply can arrive any more, and returns the reason. Cancel safe.
    ///
    /// `sent` is the length of the request in bytes: the server is idle while it receives a long request.
    fn wait_until_dead(&self, sent: usize) -> BoxFuture<'_, &'static str>;
}

/// A failed statement of a text.
#[derive(Debug)]
pub(crate) struct QueryError {
    /// The index of the statement in the text.
    pub(crate) index: usize,
    pub(crate) error: mysql_async::Error,
}

impl QueryError {
    /// Returns the error number of the server, if the server sent the error.
    pub(crate) fn number(&self) -> Option<u16> {
        error::number(&self.error)
    }
}

impl From<mysql_async::Error> for QueryError {
    fn from(error: mysql_async::Error) -> Self {
        Self { index: 0, error }
    }
}

impl From<QueryError> for Error {
    fn from(failed: QueryError) -> Self {
        error::into_error(failed.error)
    }
}

/// Runs one call of the driver, which sends so many bytes, while a reply can arrive.
macro_rules! call {
    ($self:ident, $conn:ident, $sent:expr, $call:expr) => {{
        let is_busy = $self.start_call();
        let $conn = &mut $self.conn;
        let (result, lost) = read_reply($self.monitor.as_deref(), $self.lost, $sent, $call).await;
        $self.finish_call(&is_busy, lost);
        result
    }};
}

impl DriverConnection {
    pub(crate) fn new(conn: Conn) -> Self {
        Self {
            conn,
            is_busy: Arc::default(),
            last_use: Instant::now(),
            idle_time: Duration::ZERO,
            monitor: None,
            lost: None,
        }
    }

    /// Sets the monitor that watches the server while a reply is outstanding.
    pub(crate) fn set_monitor(&mut self, monitor: Box<dyn Monitor>) {
        self.monitor = Some(monitor);
    }

    /// Returns for how long the client had been idle when the last call started.
    pub(crate) fn idle_time(&self) -> Duration {
        self.idle_time
    }

    /// Returns a flag that is set while a call is running. If the call is dropped, the flag stays set: the server may still be
    /// running the statement.
    pub(crate) fn is_busy(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_busy)
    }

    /// Returns when the last call ended.
    pub(crate) fn last_use(&self) -> Instant {
        self.last_use
    }

    /// Returns whether a transaction is open, according to the server's last reply.
    pub(crate) fn in_transaction(&self) -> bool {
        self.conn.last_ok_packet().is_some_and(|ok| {
            ok.status_flags()
                .contains(StatusFlags::SERVER_STATUS_IN_TRANS)
        })
    }

    /// Runs a text of one or more statements in one round trip.
    pub(crate) async fn run(&mut self, sql: &str) -> Result<ResultSets, QueryError> {
        call!(self, conn, sql.len(), run(conn, sql))
    }

    /// Runs one query that only reads. It is retried when a cluster rolls it back because another node changed the rows.
    pub(crate) async fn query_sets(&mut self, sql: &str) -> Result<ResultSets, QueryError> {
        let mut attempt = 1;
        loop {
            let result = self.run(sql).await;
            let rolled_back =
                matches!(&result, Err(failed) if failed.number() == Some(error::DEADLOCK));
            // In a transaction, the earlier statements were rolled back too.
            if !rolled_back || attempt == MAX_QUERY_ATTEMPTS || self.in_transaction() {
                return result;
            }
            tokio::time::sleep(Duration::from_millis(10) * attempt).await;
            attempt += 1;
        }
    }

    /// Runs one statement and discards its rows one by one.
    pub(crate) async fn execute(&mut self, sql: &str) -> Result<(), QueryError> {
        Ok(call!(self, conn, sql.len(), conn.query_drop(sql))?)
    }

    /// Returns the first row of one query, with the kinds of its values.
    pub(crate) async fn raw_row(&mut self, sql: &str) -> Result<Option<RawRow>, QueryError> {
        let row = call!(
            self,
            conn,
            sql.len(),
            conn.query_first::<mysql_async::Row, _>(sql)
        )?;
        Ok(row.map(|row| {
            let kinds: Vec<ValueKind> = row.columns_ref().iter().map(ValueKind::of).collect();
            kinds
                .into_iter()
                .zip(row.unwrap().into_iter().map(bytes))
                .collect()
        }))
    }

    /// Sends a ping, which ends the idle time that the server measures.
    pub(crate) async fn ping(&mut self) -> Result<(), QueryError> {
        Ok(call!(self, conn, 0, conn.ping())?)
    }

    /// Resets the session to its state after the login: settings, variables, temporary tables, prepared statements, locks. The
    /// number of the session stays.
    ///
    /// Returns `false` if the server does not support it
    /// (<https://dev.mysql.com/doc/c-api/8.4/en/mysql-reset-connection.html>).
    pub(crate) async fn reset_session(&mut self) -> Result<bool, QueryError> {
        Ok(call!(self, conn, 0, conn.reset())?)
    }

    /// Returns the lower 32 bits of the session's number, which the server sent before the login.
    pub(crate) fn handshake_id(&self) -> u32 {
        self.conn.id()
    }

    /// Closes the session in an orderly way. A server that does not accept that in time is left alone.
    pub(crate) async fn close(self) -> Result<(), QueryError> {
        match tokio::time::timeout(CLOSE_TIMEOUT, catch_panic(self.conn.disconnect())).await {
            Ok(closed) => Ok(closed.and_then(|result| result)?),
            Err(_) => Ok(()),
        }
    }

    fn start_call(&mut self) -> Arc<AtomicBool> {
        self.idle_time = self.last_use.elapsed();
        self.is_busy.store(true, Ordering::SeqCst);
        Arc::clone(&self.is_busy)
    }

    fn finish_call(&mut self, is_busy: &AtomicBool, lost: Option<&'static str>) {
        is_busy.store(false, Ordering::SeqCst);
        self.last_use = Instant::now();
        self.lost = self.lost.or(lost);
    }
}

/// Returns the first value of the first row, if any.
pub(crate) fn first_value(sets: ResultSets) -> Option<String> {
    sets.into_iter().flatten().flatten().next().flatten()
}

/// Returns whether the first value is `1`, which is how the server writes true.
pub(crate) fn to_bool(sets: ResultSets) -> bool {
    first_value(sets).as_deref() == Some("1")
}

/// Returns the result of a call, or the reason why no reply can arrive.
async fn read_reply<T, E: From<mysql_async::Error>>(
    monitor: Option<&dyn Monitor>,
    lost: Option<&'static str>,
    sent: usize,
    call: impl Future<Output = Result<T, E>>,
) -> (Result<T, E>, Option<&'static str>) {
    let call = async {
        match catch_panic(call).await {
            Ok(result) => (result, None),
            // The driver does not know its state any more.
            Err(panic) => (Err(panic.into()), Some("the driver failed")),
        }
    };
    let reason = match (lost, monitor) {
        (Some(reason), _) => reason,
        (None, None) => return call.await,
        (None, Some(monitor)) => tokio::select! {
            // A reply that has arrived takes precedence.
            biased;
            result = call => return result,
            reason = monitor.wait_until_dead(sent) => reason,
        },
    };
    let error = std::io::Error::new(std::io::ErrorKind::TimedOut, reason);
    (Err(mysql_async::Error::from(error).into()), Some(reason))
}

async fn run(conn: &mut Conn, sql: &str) -> Result<ResultSets, QueryError> {
    let mut sets = Vec::new();
    let failed = |index| move |error| QueryError { index, error };
    let mut result = conn.query_iter(sql).await.map_err(failed(0))?;
    loop {
        let mut rows = Vec::new();
        while let Some(row) = result.next().await.map_err(failed(sets.len()))? {
            rows.push(row.unwrap().into_iter().map(text).collect());
        }
        sets.push(rows);
        if result.is_empty() {
            break;
        }
    }
    // The driver stores an error of the next statement until the result is dropped.
    result.drop_result().await.map_err(failed(sets.len()))?;
    Ok(sets)
}

fn text(value: Value) -> Option<String> {
    bytes(value).map(|bytes| {
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    })
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(bytes),
        // The text protocol does not use the other variants.
        other => Some(other.as_sql(true).into_bytes()),
    }
}
