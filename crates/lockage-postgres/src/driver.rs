//! One connection to the server, driven by a background task.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use lockage_core::{Error, ErrorKind, Status};
use lockage_sql::{Command, CommandError, ErrorPosition, Notice, Row};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_postgres::error::{DbError, ErrorPosition as ServerPosition};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{AsyncMessage, Client, Connection, NoTls, SimpleQueryMessage, Socket};

use crate::cancel::PostgresCanceller;
use crate::error;
use crate::server_info::ServerInfo;
use crate::simple_query::QueryText;
use crate::tls::Tls;

/// The maximum duration of closing a connection, and of asking whether the server was restarted.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The maximum duration of an internal query, if the URL has no `connect_timeout`; otherwise [`ANSWER_FACTOR`] times that.
const DEFAULT_ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const ANSWER_FACTOR: u32 = 3;

/// The maximum number of notices that are kept for one call: a script can send any number.
const MAX_NOTICES: usize = 1000;

type Notices = Arc<Mutex<VecDeque<Notice>>>;

/// A connection to the server.
#[derive(Debug)]
pub(crate) struct DriverConnection {
    /// `None` after the session was closed.
    client: Option<Client>,
    /// The task that moves bytes; `None` after its result was read.
    task: Option<JoinHandle<Option<tokio_postgres::Error>>>,
    abort: AbortHandle,
    notices: Notices,
    canceller: Arc<PostgresCanceller>,
    /// Whether the server may be running a statement whose end was not awaited.
    busy: bool,
    runtime: Handle,
    /// The maximum duration of an internal query.
    answer_timeout: Duration,
    server_info: ServerInfo,
    config: tokio_postgres::Config,
}

impl DriverConnection {
    pub(crate) async fn open(
        config: &tokio_postgres::Config,
        tls: &Tls,
    ) -> Result<Self, tokio_postgres::Error> {
        match tls {
            Tls::Off => Self::open_with(config, NoTls, tls).await,
            #[cfg(feature = "tls")]
            Tls::On(connector) => Self::open_with(config, connector.clone(), tls).await,
        }
    }

    async fn open_with<C>(
        config: &tokio_postgres::Config,
        connector: C,
        tls: &Tls,
    ) -> Result<Self, tokio_postgres::Error>
    where
        C: MakeTlsConnect<Socket, Stream: Send + 'static>,
        C::TlsConnect: Send,
        <C::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let (client, connection) = config.connect(connector).await?;
        let server_info = ServerInfo::from_connection(&connection);
        let notices = Notices::default();
        let task = tokio::spawn(drive_connection(connection, Arc::clone(&notices)));
        Ok(Self {
            canceller: Arc::new(PostgresCanceller::new(client.cancel_token(), tls.clone())),
            client: Some(client),
            abort: task.abort_handle(),
            task: Some(task),
            notices,
            busy: false,
            runtime: Handle::current(),
            answer_timeout: config
                .get_connect_timeout()
                .map_or(DEFAULT_ANSWER_TIMEOUT, |limit| *limit * ANSWER_FACTOR),
            server_info,
            config: config.clone(),
        })
    }

    pub(crate) fn server_info(&self) -> &ServerInfo {
        &self.server_info
    }

    /// Records the start time of the server.
    pub(crate) fn set_server_start(&mut self, started_at: Option<String>) {
        self.server_info.started_at = started_at;
    }

    pub(crate) fn canceller(&self) -> &Arc<PostgresCanceller> {
        &self.canceller
    }

    /// Removes and returns the notices of the last call.
    pub(crate) fn take_notices(&mut self) -> Vec<Notice> {
        lock(&self.notices).drain(..).collect()
    }

    /// Runs one simple query. It commits by itself, and leaves no snapshot.
    pub(crate) async fn query(&mut self, sql: &str) -> Result<Vec<Row>, CommandError> {
        let Some(client) = &self.client else {
            return Err(CommandError::new(0, closed_error()));
        };
        self.busy = true;
        let limit = self.answer_timeout;
        let Ok(reply) = tokio::time::timeout(limit, client.simple_query(sql)).await else {
            return Err(CommandError::new(0, self.abandon(limit)));
        };
        self.busy = is_in_doubt(&reply);
        match reply {
            Ok(messages) => messages
                .iter()
                .filter_map(row)
                .collect::<Result<_, _>>()
                .map_err(|error| CommandError::new(0, error::unreadable_answer(error))),
            Err(error) => Err(self.command_error(0, error, ErrorKind::Unexpected).await),
        }
    }

    /// Runs one simple query and returns the first value of its first row.
    pub(crate) async fn query_value(&mut self, sql: &str) -> Result<Option<String>, CommandError> {
        let rows = self.query(sql).await?;
        Ok(rows
            .into_iter()
            .next()
            .and_then(|row| row.into_iter().next().flatten()))
    }

    /// Runs all commands as one simple query.
    pub(crate) async fn execute(
        &mut self,
        commands: &[Command<'_>],
        on_done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        lock(&self.notices).clear();
        let text = QueryText::join(commands)?.text;
        let Some(client) = &self.client else {
            return Err(CommandError::new(0, closed_error()));
        };
        let mut completed = 0;
        self.busy = true;
        let outcome = run_query(client, text, &mut || {
            on_done(completed);
            completed += 1;
        })
        .await;
        self.busy = is_in_doubt(&outcome);
        let Err(error) = outcome else { return Ok(()) };
        let position = match error.as_db_error().and_then(DbError::position) {
            // The text was dropped to save memory; a failure is rare enough to join it again.
            Some(ServerPosition::Original(position)) => {
                QueryText::join(commands)?.command_at(*position)
            }
            _ => None,
        };
        // The server reports a syntax error before it runs anything: the position then identifies the command, the count does not.
        let (index, byte) = match position {
            Some((index, byte)) => (index, Some(byte)),
            None => (completed, None),
        };
        let is_assertion_failure = error.code().is_some_and(|code| code.code() == "22P02");
        match commands.get(index) {
            Some(Command::Assert(_, assertion)) if is_assertion_failure => {
                Err(CommandError::new(index, assertion.clone().into()))
            }
            Some(Command::Script(_)) => Err(self
                .command_error(index, error, ErrorKind::MigrationFailed)
                .await
                .with_position(byte.map(ErrorPosition::Byte))),
            _ => Err(self
                .command_error(index, error, ErrorKind::MigrationFailed)
                .await),
        }
    }

    async fn command_error(
        &mut self,
        command: usize,
        error: tokio_postgres::Error,
        kind: ErrorKind,
    ) -> CommandError {
        // The client reports only that the connection is closed; the task knows the cause.
        let error = match self.task.take() {
            Some(task) if error.is_closed() => {
                match tokio::time::timeout(CLOSE_TIMEOUT, task).await {
                    Ok(Ok(Some(cause))) => cause,
                    _ => error,
                }
            }
            task => {
                self.task = task;
                error
            }
        };
        let cancelled = self.canceller.take_requested();
        let failure = error::command_error(command, error, cancelled, kind);
        // The server ends one session and shuts down with the same code.
        if error::sqlstate(&failure.error) == Some("57P01") && self.server_restarted().await {
            return failure.map_error(|error| error.with_status(Status::ConnectionLost));
        }
        failure
    }

    /// Returns whether the server that ended this session has stopped or was replaced.
    async fn server_restarted(&self) -> bool {
        let Some(started_at) = &self.server_info.started_at else {
            return false;
        };
        let query = async {
            // Boxed because a query can call this function, which would make the future recursive.
            let mut other = Box::pin(Self::open(&self.config, self.canceller.tls()))
                .await
                .ok()?;
            Box::pin(other.query_value("SELECT pg_catalog.pg_postmaster_start_time()"))
                .await
                .ok()?
        };
        let current = tokio::time::timeout(CLOSE_TIMEOUT, query).await;
        current.ok().flatten().as_ref() != Some(started_at)
    }

    /// Runs internal commands, as [`execute`](Self::execute), and closes the connection if the server does not answer in time.
    pub(crate) async fn execute_internal(
        &mut self,
        commands: &[Command<'_>],
        on_done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        // Twice the time of a query: it writes, and can wait for the row of another session.
        let limit = self.answer_timeout * 2;
        match tokio::time::timeout(limit, self.execute(commands, on_done)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(CommandError::new(0, self.abandon(limit))),
        }
    }

    /// Closes a connection on which the server does not answer.
    fn abandon(&mut self, limit: Duration) -> Error {
        self.client = None;
        self.abort.abort();
        Error::new(
            ErrorKind::SessionLost,
            format!("the server did not answer within {} s", limit.as_secs_f64()),
        )
        .with_hint("check the server and the proxies before it; connect_timeout=<seconds> in the URL raises the limit")
        .with_status(Status::ConnectionLost)
    }

    /// Closes the session and waits until the connection is closed.
    pub(crate) async fn close(mut self) {
        // Without a client, the task sends Terminate and ends.
        self.client = None;
        if let Some(task) = self.task.take() {
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, task).await;
        }
    }
}

impl Drop for DriverConnection {
    /// Closes the socket. The server may notice that only when its statement ends, so the statement is cancelled.
    fn drop(&mut self) {
        self.abort.abort();
        if self.busy {
            let canceller = Arc::clone(&self.canceller);
            self.runtime
                .spawn(async move { canceller.send_cancel().await });
        }
    }
}

/// Moves bytes and collects notices until the connection ends. Returns the error that ended it.
async fn drive_connection<S, T>(
    mut connection: Connection<S, T>,
    notices: Notices,
) -> Option<tokio_postgres::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match poll_fn(|cx| connection.poll_message(cx)).await {
            Some(Ok(AsyncMessage::Notice(notice))) => {
                let mut notices = lock(&notices);
                if notices.len() < MAX_NOTICES {
                    notices.push_back(Notice::new(notice.severity(), notice.message()));
                }
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Some(error),
            None => return None,
        }
    }
}

/// Runs a simple query and calls `on_completed` after each of its commands.
async fn run_query(
    client: &Client,
    text: String,
    on_completed: &mut (dyn FnMut() + Send),
) -> Result<(), tokio_postgres::Error> {
    let mut replies = std::pin::pin!(client.simple_query_raw(&text).await?);
    // The driver has its own copy.
    drop(text);
    while let Some(reply) = replies.next().await {
        // Rows of a script are discarded.
        if let SimpleQueryMessage::CommandComplete(_) = reply? {
            on_completed();
        }
    }
    Ok(())
}

/// Returns whether the server may still be running the query: only a reply of the server rules that out.
fn is_in_doubt<T>(reply: &Result<T, tokio_postgres::Error>) -> bool {
    reply
        .as_ref()
        .is_err_and(|error| error.as_db_error().is_none())
}

fn closed_error() -> Error {
    Error::new(ErrorKind::SessionLost, "the session is closed")
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic cannot leave the value inconsistent: every change is one call.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn row(message: &SimpleQueryMessage) -> Option<Result<Row, tokio_postgres::Error>> {
    match message {
        SimpleQueryMessage::Row(row) => Some(
            (0..row.len())
                .map(|column| Ok(row.try_get(column)?.map(str::to_owned)))
                .collect(),
        ),
        _ => None,
    }
}
