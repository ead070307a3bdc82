//! One connection to the server: what goes over it, and what happens to it when it is dropped.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use lockage_core::{Canceller, Error, ErrorKind, Result};
use lockage_sql::{CommandError, Notice, Command, ErrorPosition, Row};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_postgres::error::{DbError, ErrorPosition};
use tokio_postgres::{AsyncMessage, CancelToken, Client, Connection, NoTls, SimpleQueryMessage};

use crate::error;
use crate::message::Message;
use crate::tls::Tls;

/// How long a request to cancel, or a farewell, may take.
const GRACE: Duration = Duration::from_secs(5);

/// How many notices are kept for one call; a script may print without end.
const MOST_NOTICES: usize = 1000;

/// A connection, driven by a task of its own.
#[derive(Debug)]
pub(crate) struct Link {
    /// `None` once the farewell is said.
    client: Option<Client>,
    /// `None` once its end is known.
    driver: Option<JoinHandle<Option<tokio_postgres::Error>>>,
    abort: AbortHandle,
    notices: Arc<Mutex<VecDeque<Notice>>>,
    cancel: Arc<Cancel>,
    /// Whether the server works at something whose end was not awaited.
    busy: bool,
    runtime: Handle,
    parameters: Parameters,
    config: tokio_postgres::Config,
    /// When the server began, once somebody asked.
    server_start: Option<String>,
}

/// What the server told at the start.
#[derive(Debug, Clone)]
pub(crate) struct Parameters {
    /// The major version; 0 where it makes no sense.
    pub(crate) version: u32,
    /// Whom the server takes us for.
    pub(crate) user: Option<String>,
}

impl Link {
    pub(crate) async fn open(
        config: &tokio_postgres::Config,
        tls: &Tls,
    ) -> Result<Self, tokio_postgres::Error> {
        let notices = Arc::default();
        let (client, driver, parameters) = match tls {
            Tls::Off => {
                let (client, connection) = config.connect(NoTls).await?;
                let parameters = Parameters::of(&connection);
                (
                    client,
                    tokio::spawn(drive(connection, Arc::clone(&notices))),
                    parameters,
                )
            }
            #[cfg(feature = "tls")]
            Tls::On(tls) => {
                let (client, connection) = config.connect(tls.clone()).await?;
                let parameters = Parameters::of(&connection);
                (
                    client,
                    tokio::spawn(drive(connection, Arc::clone(&notices))),
                    parameters,
                )
            }
        };
        let cancel = Cancel {
            token: client.cancel_token(),
            tls: tls.clone(),
            asked: AtomicBool::new(false),
            held_off: AtomicU32::new(0),
        };
        Ok(Self {
            client: Some(client),
            abort: driver.abort_handle(),
            driver: Some(driver),
            notices,
            cancel: Arc::new(cancel),
            busy: false,
            runtime: Handle::current(),
            parameters,
            config: config.clone(),
            server_start: None,
        })
    }

    /// Notes when the server began, so that one which was started anew is told from one that only ended our session.
    pub(crate) fn note_server_start(&mut self, start: Option<String>) {
        self.server_start = start;
    }

    /// Whether the server that ended our session is there no longer, or is another.
    async fn server_is_gone(&self) -> bool {
        let Some(start) = &self.server_start else {
            return false;
        };
        let ask = async {
            let mut link = Box::pin(Self::open(&self.config, &self.cancel.tls))
                .await
                .ok()?;
            let rows = Box::pin(link.query("SELECT pg_catalog.pg_postmaster_start_time()"))
                .await
                .ok()?;
            rows.into_iter().next()?.into_iter().next()?
        };
        let now = tokio::time::timeout(GRACE, ask).await;
        now.ok().flatten().as_ref() != Some(start)
    }

    pub(crate) fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    pub(crate) fn token(&self) -> &CancelToken {
        &self.cancel.token
    }

    pub(crate) fn canceller(&self) -> &Arc<Cancel> {
        &self.cancel
    }

    /// What the server said while the last pieces ran.
    pub(crate) fn take_notices(&mut self) -> Vec<Notice> {
        lock(&self.notices).drain(..).collect()
    }

    /// One simple query: it commits by itself, and keeps no snapshot once it is over.
    pub(crate) async fn query(&mut self, sql: &str) -> Result<Vec<Row>, CommandError> {
        let Some(client) = &self.client else {
            return Err(CommandError::new(0, closed()));
        };
        self.busy = true;
        let answer = client.simple_query(sql).await;
        self.busy = is_in_doubt(&answer);
        match answer {
            Ok(messages) => Ok(messages.iter().filter_map(row).collect()),
            Err(error) => Err(self.failure(0, error, ErrorKind::Unexpected).await),
        }
    }

    /// All pieces as one simple query.
    pub(crate) async fn run(
        &mut self,
        pieces: &[Command<'_>],
        done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        lock(&self.notices).clear();
        let Some(client) = &self.client else {
            return Err(CommandError::new(0, closed()));
        };
        let mut through = 0;
        self.busy = true;
        let outcome = stream(client, Message::join(pieces).text, &mut || {
            done(through);
            through += 1;
        })
        .await;
        self.busy = is_in_doubt(&outcome);
        let Err(error) = outcome else { return Ok(()) };
        let place = match error.as_db_error().and_then(DbError::position) {
            // Joined once more: a failure is rare, and the text may be long.
            Some(ErrorPosition::Original(position)) => Message::join(pieces).place(*position),
            _ => None,
        };
        // A mistake in syntax is found before anything runs, so its position knows the piece better than the count.
        let (index, byte) = place.map_or((through, None), |(index, byte)| (index, Some(byte)));
        let refused = error.code().is_some_and(|code| code.code() == "22P02");
        match pieces.get(index) {
            Some(Command::Assert(_, refusal)) if refused => {
                Err(CommandError::new(index, refusal.clone().into()))
            }
            Some(Command::Script(_)) => Err(CommandError {
                place: byte.map(ErrorPosition::Byte),
                ..self.failure(index, error, ErrorKind::MigrationFailed).await
            }),
            _ => Err(self.failure(index, error, ErrorKind::MigrationFailed).await),
        }
    }

    async fn failure(
        &mut self,
        piece: usize,
        error: tokio_postgres::Error,
        kind: ErrorKind,
    ) -> CommandError {
        // Where the connection broke, its task knows why.
        let error = match self.driver.take() {
            Some(driver) if error.is_closed() => match tokio::time::timeout(GRACE, driver).await {
                Ok(Ok(Some(why))) => why,
                _ => error,
            },
            driver => {
                self.driver = driver;
                error
            }
        };
        let cancelled = self.cancel.asked.swap(false, Ordering::Relaxed);
        let mut failure = error::failure(piece, error, cancelled, kind);
        // An administrator ends one session or all of them with the same words.
        if error::sqlstate(&failure.error) == Some("57P01") && self.server_is_gone().await {
            failure.error = failure.error.with_status(Status::ConnectionLost);
        }
        failure
    }

    /// Says farewell, and waits until the connection is closed.
    pub(crate) async fn close(mut self) {
        // Without a client the task sends the farewell and ends.
        self.client = None;
        if let Some(driver) = self.driver.take() {
            let _ = tokio::time::timeout(GRACE, driver).await;
        }
    }
}

impl Drop for Link {
    /// Closes the socket. The server may notice that only when its statement ends, so it is asked to end that.
    fn drop(&mut self) {
        self.abort.abort();
        if self.busy {
            let cancel = Arc::clone(&self.cancel);
            self.runtime.spawn(async move { cancel.send().await });
        }
    }
}

/// Asks the server to end the statement in hand.
pub(crate) struct Cancel {
    token: CancelToken,
    tls: Tls,
    /// Whether we asked.
    asked: AtomicBool,
    /// How many want what runs now to come to its end, since it puts things in order.
    held_off: AtomicU32,
}

/// Keeps a [`Cancel`] from asking.
#[must_use]
pub(crate) struct HeldOff(Arc<Cancel>);

impl Drop for HeldOff {
    fn drop(&mut self) {
        self.0.held_off.fetch_sub(1, Ordering::SeqCst);
    }
}

impl std::fmt::Debug for Cancel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cancel").finish_non_exhaustive()
    }
}

impl Cancel {
    /// Asks for nothing until the answer is dropped.
    pub(crate) fn hold_off(self: &Arc<Self>) -> HeldOff {
        self.held_off.fetch_add(1, Ordering::SeqCst);
        HeldOff(Arc::clone(self))
    }

    async fn send(&self) -> Result<()> {
        let request = async {
            match &self.tls {
                Tls::Off => self.token.cancel_query(NoTls).await,
                #[cfg(feature = "tls")]
                Tls::On(tls) => self.token.cancel_query(tls.clone()).await,
            }
        };
        let failed = |message| {
            Error::new(
                ErrorKind::Connect,
                format!("cannot ask the server to cancel: {message}"),
            )
        };
        match tokio::time::timeout(GRACE, request).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(failed(error::chain(&error)).with_source(error)),
            Err(_) => Err(failed("it does not answer".into())),
        }
    }
}

#[async_trait]
impl Canceller for Cancel {
    async fn cancel(&self) -> Result<()> {
        if self.held_off.load(Ordering::SeqCst) > 0 {
            return Ok(());
        }
        self.asked.store(true, Ordering::Relaxed);
        self.send().await
    }
}

impl Parameters {
    fn of<S, T>(connection: &Connection<S, T>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin,
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let version = connection.parameter("server_version").unwrap_or_default();
        let digits = version
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap_or_default();
        Self {
            version: digits.parse().unwrap_or(0),
            user: connection
                .parameter("session_authorization")
                .map(str::to_owned),
        }
    }
}

/// Moves bytes and collects notices, until the connection ends; with the error that ended it.
async fn drive<S, T>(
    mut connection: Connection<S, T>,
    notices: Arc<Mutex<VecDeque<Notice>>>,
) -> Option<tokio_postgres::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match poll_fn(|cx| connection.poll_message(cx)).await {
            Some(Ok(AsyncMessage::Notice(notice))) => {
                let mut notices = lock(&notices);
                if notices.len() < MOST_NOTICES {
                    notices.push_back(Notice {
                        severity: notice.severity().to_owned(),
                        message: notice.message().to_owned(),
                    });
                }
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Some(error),
            None => return None,
        }
    }
}

async fn stream(
    client: &Client,
    text: String,
    through: &mut (dyn FnMut() + Send),
) -> Result<(), tokio_postgres::Error> {
    let mut answers = std::pin::pin!(client.simple_query_raw(&text).await?);
    // The driver has a copy.
    drop(text);
    while let Some(answer) = answers.next().await {
        // Rows of a script are nobody's.
        if let SimpleQueryMessage::CommandComplete(_) = answer? {
            through();
        }
    }
    Ok(())
}

/// Whether the server may still be at work: only an answer of its own says that it is not.
fn is_in_doubt<T>(answer: &Result<T, tokio_postgres::Error>) -> bool {
    answer
        .as_ref()
        .is_err_and(|error| error.as_db_error().is_none())
}

fn closed() -> Error {
    Error::new(ErrorKind::SessionLost, "the session is closed")
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Whoever panicked while holding it left it whole: every change is one call.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn row(message: &SimpleQueryMessage) -> Option<Row> {
    match message {
        SimpleQueryMessage::Row(row) => Some(
            (0..row.len())
                .map(|column| row.get(column).map(str::to_owned))
                .collect(),
        ),
        _ => None,
    }
}
