//! Runs batches on one connection of the driver.

use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use lockage_core::Error;
use lockage_sql::{DisconnectProbe, Notice, Row};
use tiberius::error::Error as DriverError;
use tiberius::{Client, QueryItem};
use tokio::sync::watch;
use tokio_util::compat::Compat;
use tracing::instrument::WithSubscriber;

use crate::error;
use crate::notices::NoticeCollector;
use crate::row_text::row_texts;
use crate::transport::{SocketProbe, Stream};

/// How long the server may take to cancel a statement before the session is abandoned.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(10);

/// The rows of each result set of a batch.
pub(crate) type ResultSets = Vec<Vec<Row>>;

/// A connection of the driver, with time limits and cancellation.
#[derive(Debug)]
pub(crate) struct DriverConnection {
    client: Client<Compat<Stream>>,
    probe: Arc<SocketProbe>,
    notices: NoticeCollector,
    /// Whether a batch was sent and its reply has not been read to the end.
    is_busy: bool,
}

/// The error of an internal batch.
#[derive(Debug)]
pub(crate) struct QueryError {
    /// The result sets before the error.
    pub(crate) sets: ResultSets,
    pub(crate) error: DriverError,
}

impl QueryError {
    /// Returns the server's error number, if the server reported the error.
    pub(crate) fn number(&self) -> Option<u32> {
        self.error.code()
    }

    pub(crate) fn into_error(self) -> Error {
        error::into_error(self.error)
    }
}

/// How the execution of a script's batch ended.
#[derive(Debug)]
pub(crate) enum ExecutionEnd {
    /// The batch succeeded or failed.
    Finished(Result<(), DriverError>),
    /// It exceeded its timeout, and the server cancelled it.
    TimedOut,
    /// A cancellation was requested, and the server cancelled it.
    Cancelled,
    /// The server did not confirm the cancellation.
    Unresponsive,
}

impl DriverConnection {
    pub(crate) fn new(client: Client<Compat<Stream>>, probe: SocketProbe) -> Self {
        Self {
            client,
            probe: Arc::new(probe),
            notices: NoticeCollector::new(),
            is_busy: false,
        }
    }

    /// Returns a probe that reports whether the server closed the connection, or this value was dropped.
    pub(crate) fn disconnect_probe(&self) -> DisconnectProbe {
        let probe = Arc::downgrade(&self.probe);
        Arc::new(move || probe.upgrade().is_none_or(|probe| probe.is_closed()))
    }

    /// Runs an internal batch to its end and returns its result sets.
    pub(crate) async fn query(&mut self, sql: &str) -> Result<ResultSets, QueryError> {
        self.is_busy = true;
        self.notices.take();
        let mut sets = ResultSets::new();
        let subscriber = self.notices.dispatch();
        let outcome = self
            .read_sets(sql, &mut sets)
            .with_subscriber(subscriber)
            .await;
        self.is_busy = false;
        match outcome {
            Ok(()) => Ok(sets),
            Err(error) => Err(QueryError { sets, error }),
        }
    }

    async fn read_sets(&mut self, sql: &str, sets: &mut ResultSets) -> Result<(), DriverError> {
        let mut stream = self.client.simple_query(sql).await?;
        while let Some(item) = stream.try_next().await? {
            match item {
                QueryItem::Metadata(_) => sets.push(Vec::new()),
                QueryItem::Row(row) => {
                    let row = row_texts(row)?;
                    match sets.last_mut() {
                        Some(set) => set.push(row),
                        None => sets.push(vec![row]),
                    }
                }
            }
        }
        Ok(())
    }

    /// Runs a batch of a script until it ends, `timeout` elapses or `cancelled` becomes true.
    pub(crate) async fn execute_until(
        &mut self,
        sql: &str,
        timeout: Option<Duration>,
        cancelled: &mut watch::Receiver<bool>,
    ) -> ExecutionEnd {
        self.is_busy = true;
        self.notices.take();
        let subscriber = self.notices.dispatch();
        let timed_out = async {
            match timeout {
                Some(timeout) => tokio::time::sleep(timeout).await,
                None => std::future::pending().await,
            }
        };
        let end = tokio::select! {
            biased;
            finished = self.execute(sql).with_subscriber(subscriber) => ExecutionEnd::Finished(finished),
            _ = cancelled.wait_for(|cancelled| *cancelled) => ExecutionEnd::Cancelled,
            () = timed_out => ExecutionEnd::TimedOut,
        };
        if !matches!(end, ExecutionEnd::Finished(_)) && !self.send_attention().await {
            return ExecutionEnd::Unresponsive;
        }
        self.is_busy = false;
        end
    }

    /// Runs a batch of a script and discards its rows. The reply is read to its end, because an error can follow the rows.
    async fn execute(&mut self, sql: &str) -> Result<(), DriverError> {
        let mut stream = self.client.simple_query(sql).await?;
        while stream.try_next().await?.is_some() {}
        Ok(())
    }

    /// Asks the server to cancel the running batch. Returns whether the server confirmed it in time.
    async fn send_attention(&mut self) -> bool {
        matches!(
            tokio::time::timeout(CANCEL_TIMEOUT, self.client.cancel_query()).await,
            Ok(Ok(()))
        )
    }

    /// Removes and returns the messages that the server sent during the last batch.
    pub(crate) fn take_notices(&self) -> Vec<Notice> {
        self.notices.take()
    }

    /// Drops the connection. A running batch is cancelled first, in the background.
    pub(crate) fn abort(mut self) {
        if !self.is_busy {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // No caller waits for the result. A server that ignores the attention notices the closed connection when it
                // sends its reply.
                let _ = self.send_attention().await;
            });
        }
    }

    pub(crate) async fn close(self) -> tiberius::Result<()> {
        self.client.close().await
    }
}

/// Returns the first value of the first row.
pub(crate) fn first_value(sets: ResultSets) -> Option<String> {
    sets.into_iter().flatten().flatten().next().flatten()
}

/// Returns the first row of the last result set.
pub(crate) fn last_row(sets: &ResultSets) -> Option<&Row> {
    sets.last().and_then(|rows| rows.first())
}
