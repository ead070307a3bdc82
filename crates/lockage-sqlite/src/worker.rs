//! SQLite blocks, so each session has a thread that owns its connection and its locks. When the session is dropped, the statement
//! in hand is interrupted, the thread drops the connection, which rolls back, and only then the locks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use lockage_core::{Error, ErrorKind, Result};
use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

use crate::address::Address;
use crate::lock::Locks;

/// How many of SQLite's own instructions run between two looks at the signal.
const LOOK_EVERY: i32 = 1000;

/// What the thread owns.
#[derive(Debug)]
pub(crate) struct Owned {
    /// Opened when it is first needed: looking at a database that does not exist does not make it. Dropped before the locks.
    connection: Option<Connection>,
    pub(crate) locks: Locks,
    /// How long a statement waits for other writers; `None` for ever.
    pub(crate) busy_timeout: Option<Duration>,
    /// How long a statement of the script in hand may run.
    pub(crate) statement_timeout: Option<Duration>,
    address: Address,
    signal: Arc<Signal>,
}

/// What the thread's work is told from outside while it runs.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    stop: AtomicBool,
    deadline: Mutex<Option<Instant>>,
}

impl Signal {
    /// Stops the work in hand.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// MigrationContext that was stopped has ended.
    pub(crate) fn clear(&self) {
        self.stop.store(false, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Stops the statement in hand at a point in time.
    pub(crate) fn set_deadline(&self, deadline: Option<Instant>) {
        *self.lock() = deadline;
    }

    pub(crate) fn is_late(&self) -> bool {
        self.lock()
            .is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.deadline.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Owned {
    /// The connection. `None`: there is no database yet, and it is not to be made.
    pub(crate) fn connection(&mut self, create: bool) -> rusqlite::Result<Option<&mut Connection>> {
        if self.connection.is_none() {
            self.connection = self.open(create)?;
        }
        Ok(self.connection.as_mut())
    }

    pub(crate) fn signal(&self) -> &Arc<Signal> {
        &self.signal
    }

    /// Closes the connection, then frees every lock.
    pub(crate) fn close(&mut self) {
        self.connection = None;
        self.locks = Locks::new(&self.address);
    }

    fn open(&self, create: bool) -> rusqlite::Result<Option<Connection>> {
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let read_write = flags | OpenFlags::SQLITE_OPEN_READ_WRITE;
        let mut connection = match &self.address {
            Address::Memory => Connection::open_in_memory()?,
            Address::SharedMemory(name) => {
                let uri = format!("file:{name}?mode=memory&cache=shared");
                Connection::open_with_flags(
                    uri,
                    read_write | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_URI,
                )?
            }
            Address::File { path, .. } if !create && !path.exists() => return Ok(None),
            Address::File {
                path,
                read_only: true,
            } => Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_READ_ONLY)?,
            Address::File { path, .. } => {
                Connection::open_with_flags(path, read_write | OpenFlags::SQLITE_OPEN_CREATE)?
            }
        };
        let signal = Arc::clone(&self.signal);
        connection.progress_handler(
            LOOK_EVERY,
            Some(move || signal.is_stopped() || signal.is_late()),
        )?;
        connection.busy_timeout(BUSY)?;
        Ok(Some(connection))
    }
}

/// How long one call waits for a writer before it says that the database is in use.
const BUSY: Duration = Duration::from_millis(200);

type Job = Box<dyn FnOnce(&mut Owned) + Send>;

/// The session's side of the thread.
#[derive(Debug)]
pub(crate) struct Worker {
    jobs: mpsc::Sender<Job>,
    signal: Arc<Signal>,
}

impl Worker {
    pub(crate) fn start(address: Address) -> Result<Self> {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let signal = Arc::new(Signal::default());
        let locks = Locks::new(&address);
        let mut owned = Owned {
            connection: None,
            locks,
            busy_timeout: Some(Duration::from_secs(5)),
            statement_timeout: None,
            address,
            signal: Arc::clone(&signal),
        };
        let work = move || inbox.into_iter().for_each(|job| job(&mut owned));
        std::thread::Builder::new()
            .name("lockage-sqlite".into())
            .spawn(work)
            .map_err(|error| {
                Error::new(
                    ErrorKind::Unexpected,
                    format!("cannot start a thread: {error}"),
                )
                .with_source(error)
            })?;
        Ok(Self { jobs, signal })
    }

    pub(crate) fn signal(&self) -> &Arc<Signal> {
        &self.signal
    }

    /// Has the thread do something, and waits for the answer.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Owned) -> T + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        self.tell(move |owned| {
            let _ = answer.send(job(owned));
        });
        answered
            .await
            .map_err(|_| Error::new(ErrorKind::SessionLost, "the session's thread has ended"))
    }

    /// Has the thread do something.
    pub(crate) fn tell(&self, job: impl FnOnce(&mut Owned) + Send + 'static) {
        // A thread that has ended is noticed by whoever asks it something.
        let _ = self.jobs.send(Box::new(job));
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.signal.stop();
    }
}
