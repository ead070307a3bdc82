//! One connection of the driver's, with answers as text.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lockage_sql::Row;
use mysql_async::consts::{ColumnFlags, ColumnType, StatusFlags};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};
use tokio::time::Instant;

use crate::error;
use crate::lookout::Lookout;

/// How often a query is tried that a cluster takes back.
const TRIES: u32 = 20;

/// A connection, never of a pool: a pool would take it back with its locks.
#[derive(Debug)]
pub(crate) struct Wire {
    conn: Conn,
    busy: Arc<AtomicBool>,
    last_use: Instant,
    /// How long the client had said nothing when the last call began.
    silence: Duration,
    /// Looks for the server while it owes an answer.
    lookout: Option<Lookout>,
    /// Why no more answers can come.
    lost: Option<&'static str>,
}

/// The statement of a text with several that failed, and why.
#[derive(Debug)]
pub(crate) struct Broken {
    /// Its index in the text.
    pub(crate) index: usize,
    pub(crate) error: mysql_async::Error,
}

/// What kind of value a column holds, as far as it takes to write the value down again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueKind {
    Number,
    Text,
    Bytes,
}

/// One row, byte for byte, with the kinds of its columns.
pub(crate) type RawRow = Vec<(ValueKind, Option<Vec<u8>>)>;

/// One call of the driver, as long as an answer can come.
macro_rules! call {
    ($self:ident, $conn:ident, $call:expr) => {{
        let begun = $self.begin();
        let $conn = &mut $self.conn;
        let (done, lost) = answer($self.lookout.as_ref(), $self.lost, $call).await;
        $self.end(&begun, lost);
        done
    }};
}

impl From<mysql_async::Error> for Broken {
    fn from(error: mysql_async::Error) -> Self {
        Self { index: 0, error }
    }
}

impl Wire {
    pub(crate) fn new(conn: Conn) -> Self {
        Self {
            conn,
            busy: Arc::default(),
            last_use: Instant::now(),
            silence: Duration::ZERO,
            lookout: None,
            lost: None,
        }
    }

    /// Has the server looked for while it owes an answer.
    pub(crate) fn watch(&mut self, lookout: Lookout) {
        self.lookout = Some(lookout);
    }

    /// How long the client had said nothing when the last call began.
    pub(crate) fn silence(&self) -> Duration {
        self.silence
    }

    /// Whether a call was begun and has not come back: dropped then, the server may still be at work.
    pub(crate) fn busy(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.busy)
    }

    /// When the server last heard of us.
    pub(crate) fn last_use(&self) -> Instant {
        self.last_use
    }

    /// Whether the server said in its last answer that a transaction is open.
    pub(crate) fn in_transaction(&self) -> bool {
        self.conn.last_ok_packet().is_some_and(|ok| {
            ok.status_flags()
                .contains(StatusFlags::SERVER_STATUS_IN_TRANS)
        })
    }

    /// Runs a text of one or more statements in one round trip; one set of rows a result.
    pub(crate) async fn run(&mut self, sql: &str) -> Result<Vec<Vec<Row>>, Broken> {
        call!(self, conn, run(conn, sql))
    }

    /// Runs one query that only reads, again where a cluster took it back since another node was at what it reads.
    pub(crate) async fn ask(&mut self, sql: &str) -> Result<Vec<Vec<Row>>, Broken> {
        let mut tries = 1;
        loop {
            let done = self.run(sql).await;
            let taken_back = matches!(&done, Err(broken) if error::number(&broken.error) == Some(error::DEADLOCK));
            // In a transaction, what ran before in it is taken back as well.
            if !taken_back || tries == TRIES || self.in_transaction() {
                return done;
            }
            tokio::time::sleep(Duration::from_millis(10) * tries).await;
            tries += 1;
        }
    }

    /// Runs one statement whose rows are not wanted, however many they are.
    pub(crate) async fn execute(&mut self, sql: &str) -> Result<(), mysql_async::Error> {
        call!(self, conn, conn.query_drop(sql))
    }

    /// The first row of one query, with what is needed to write its values down again.
    pub(crate) async fn raw_row(
        &mut self,
        sql: &str,
    ) -> Result<Option<RawRow>, mysql_async::Error> {
        let done = call!(self, conn, conn.query_first::<mysql_async::Row, _>(sql));
        Ok(done?.map(|row| {
            let kinds: Vec<ValueKind> = row.columns_ref().iter().map(kind).collect();
            kinds
                .into_iter()
                .zip(row.unwrap().into_iter().map(bytes))
                .collect()
        }))
    }

    pub(crate) async fn ping(&mut self) -> Result<(), mysql_async::Error> {
        call!(self, conn, conn.ping())
    }

    pub(crate) async fn close(self) -> Result<(), mysql_async::Error> {
        self.conn.disconnect().await
    }

    fn begin(&mut self) -> Arc<AtomicBool> {
        self.silence = self.last_use.elapsed();
        self.busy.store(true, Ordering::SeqCst);
        Arc::clone(&self.busy)
    }

    fn end(&mut self, begun: &AtomicBool, lost: Option<&'static str>) {
        begun.store(false, Ordering::SeqCst);
        self.last_use = Instant::now();
        self.lost = self.lost.or(lost);
    }
}

/// What comes of a call, or why nothing can.
async fn answer<T, E: From<mysql_async::Error>>(
    lookout: Option<&Lookout>,
    lost: Option<&'static str>,
    call: impl Future<Output = Result<T, E>>,
) -> (Result<T, E>, Option<&'static str>) {
    let why = match (lost, lookout) {
        (Some(why), _) => why,
        (None, None) => return (call.await, None),
        (None, Some(lookout)) => tokio::select! {
            biased;
            done = call => return (done, None),
            why = lookout.out_of_sight() => why,
        },
    };
    let error = std::io::Error::new(std::io::ErrorKind::TimedOut, why);
    (Err(mysql_async::Error::from(error).into()), Some(why))
}

async fn run(conn: &mut Conn, sql: &str) -> Result<Vec<Vec<Row>>, Broken> {
    let mut sets = Vec::new();
    let broken = |index| move |error| Broken { index, error };
    let mut result = conn.query_iter(sql).await.map_err(broken(0))?;
    loop {
        let mut rows = Vec::new();
        while let Some(row) = result.next().await.map_err(broken(sets.len()))? {
            rows.push(row.unwrap().into_iter().map(text).collect());
        }
        sets.push(rows);
        if result.is_empty() {
            break;
        }
    }
    // The driver keeps an error of the next statement until somebody asks.
    result.drop_result().await.map_err(broken(sets.len()))?;
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
        // The text protocol has none of the others.
        other => Some(other.as_sql(true).into_bytes()),
    }
}

/// The number of the character set that bytes without one have.
const BINARY: u16 = 63;

fn kind(column: &mysql_async::Column) -> ValueKind {
    use ColumnType::{
        MYSQL_TYPE_DECIMAL, MYSQL_TYPE_DOUBLE, MYSQL_TYPE_FLOAT, MYSQL_TYPE_INT24, MYSQL_TYPE_LONG,
        MYSQL_TYPE_LONGLONG, MYSQL_TYPE_NEWDECIMAL, MYSQL_TYPE_SHORT, MYSQL_TYPE_TINY,
        MYSQL_TYPE_YEAR,
    };
    match column.column_type() {
        MYSQL_TYPE_DECIMAL
        | MYSQL_TYPE_DOUBLE
        | MYSQL_TYPE_FLOAT
        | MYSQL_TYPE_INT24
        | MYSQL_TYPE_LONG
        | MYSQL_TYPE_LONGLONG
        | MYSQL_TYPE_NEWDECIMAL
        | MYSQL_TYPE_SHORT
        | MYSQL_TYPE_TINY
        | MYSQL_TYPE_YEAR => ValueKind::Number,
        _ if column.character_set() == BINARY
            && column.flags().contains(ColumnFlags::BINARY_FLAG) =>
        {
            ValueKind::Bytes
        }
        _ => ValueKind::Text,
    }
}
