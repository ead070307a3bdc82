//! One connection, and batches on it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use lockage_sql::{DisconnectProbe, Notice, Row};
use tiberius::{Client, QueryItem};
use tokio::sync::watch;
use tokio_util::compat::Compat;
use tracing::instrument::WithSubscriber;

use crate::notices::Listener;
use crate::transport::{Line, Stream};
use crate::value;

/// How long a statement that is to end may take to do so before the session is given up.
const GRACE: Duration = Duration::from_secs(10);

/// One connection.
#[derive(Debug)]
pub(crate) struct Wire {
    client: Client<Compat<Stream>>,
    line: Arc<Line>,
    listener: Listener,
    /// Whether something was sent whose answer has not been read to its end.
    busy: bool,
}

/// A batch that failed.
#[derive(Debug)]
pub(crate) struct Broken {
    /// What it had answered until then.
    pub(crate) sets: Vec<Vec<Row>>,
    pub(crate) error: tiberius::error::Error,
}

/// How a batch of a script ended.
#[derive(Debug)]
pub(crate) enum End {
    /// By itself.
    Done(Result<(), tiberius::error::Error>),
    /// It took too long and was stopped.
    Late,
    /// Somebody asked for its end, and it was stopped.
    Cancelled,
    /// It was to be stopped and was not.
    Stuck,
}

impl Wire {
    pub(crate) fn new(client: Client<Compat<Stream>>, line: Line) -> Self {
        Self {
            client,
            line: Arc::new(line),
            listener: Listener::new(),
            busy: false,
        }
    }

    /// Tells whether the server hung up, or this is no more.
    pub(crate) fn cut(&self) -> DisconnectProbe {
        let line = Arc::downgrade(&self.line);
        Arc::new(move || line.upgrade().is_none_or(|line| line.is_cut()))
    }

    /// Runs a batch of ours to its end and returns all its result sets.
    pub(crate) async fn run(&mut self, sql: &str) -> Result<Vec<Vec<Row>>, Broken> {
        self.busy = true;
        self.listener.take();
        let mut sets: Vec<Vec<Row>> = Vec::new();
        let listener = self.listener.dispatch();
        let outcome = async {
            let mut stream = self.client.simple_query(sql).await?;
            while let Some(item) = stream.try_next().await? {
                match item {
                    QueryItem::Metadata(_) => sets.push(Vec::new()),
                    QueryItem::Row(row) => {
                        let row = value::texts(row)?;
                        match sets.last_mut() {
                            Some(set) => set.push(row),
                            None => sets.push(vec![row]),
                        }
                    }
                }
            }
            Ok(())
        }
        .with_subscriber(listener)
        .await;
        self.busy = false;
        match outcome {
            Ok(()) => Ok(sets),
            Err(error) => Err(Broken { sets, error }),
        }
    }

    /// Runs a batch of a script and drops what it answers, to the end: an error may come after the rows.
    async fn execute(&mut self, sql: &str) -> Result<(), tiberius::error::Error> {
        let mut stream = self.client.simple_query(sql).await?;
        while stream.try_next().await?.is_some() {}
        Ok(())
    }

    /// Runs a batch of a script until it ends, its time is over, or `cancelled` becomes true.
    pub(crate) async fn execute_until(
        &mut self,
        sql: &str,
        limit: Option<Duration>,
        cancelled: &mut watch::Receiver<bool>,
    ) -> End {
        self.busy = true;
        self.listener.take();
        let listener = self.listener.dispatch();
        let over = async {
            match limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        let end = tokio::select! {
            biased;
            done = self.execute(sql).with_subscriber(listener) => End::Done(done),
            _ = cancelled.wait_for(|cancelled| *cancelled) => End::Cancelled,
            () = over => End::Late,
        };
        if !matches!(end, End::Done(_)) && !self.attend().await {
            return End::Stuck;
        }
        self.busy = false;
        end
    }

    /// Has the server stop what it does, and waits until it says that it did.
    async fn attend(&mut self) -> bool {
        matches!(
            tokio::time::timeout(GRACE, self.client.cancel_query()).await,
            Ok(Ok(()))
        )
    }

    /// What the server said while the last batch ran.
    pub(crate) fn take_notices(&self) -> Vec<Notice> {
        self.listener.take()
    }

    /// Ends the connection; what runs on it is stopped first, without waiting for that here.
    pub(crate) fn abandon(mut self) {
        if !self.busy {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // Nobody is left to be told. A server that does not listen notices at the latest when it answers.
                let _ = self.attend().await;
            });
        }
    }

    pub(crate) async fn close(self) -> tiberius::Result<()> {
        self.client.close().await
    }
}
