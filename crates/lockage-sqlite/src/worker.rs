//! The thread of a session. Calls to SQLite block, so each session has a thread that owns its connection and its locks.
//!
//! When the session is dropped, the running statement is interrupted. The thread then drops the connection, which rolls back, and
//! after it the locks.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use lockage_core::{Error, ErrorKind, Result};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

use crate::cancel::InterruptFlag;
use crate::config::ConnectConfig;
use crate::error::command_failure;
use crate::foreign_keys::ForeignKeyCheck;
use crate::lock::Locks;

/// How many instructions of SQLite's virtual machine run between two reads of the interrupt flag.
const PROGRESS_HANDLER_OPS: i32 = 1000;

/// How long one call waits for another writer before SQLite reports that the database is in use.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_millis(200);

/// What the thread owns. Fields are dropped in order: the connection before the locks.
#[derive(Debug)]
pub(crate) struct WorkerState {
    /// Opened at its first use: reading a database that does not exist must not create it.
    connection: Option<Connection>,
    pub(crate) locks: Locks,
    /// Compares the foreign keys at the end of a script with those before it.
    pub(crate) foreign_keys: ForeignKeyCheck,
    config: ConnectConfig,
    interrupt: Arc<InterruptFlag>,
}

impl WorkerState {
    /// Returns the connection, and opens it if necessary; `None` if the database does not exist and `create` is false.
    pub(crate) fn connection(&mut self, create: bool) -> rusqlite::Result<Option<&mut Connection>> {
        if self.connection.is_none() {
            self.connection = self.open(create)?;
        }
        Ok(self.connection.as_mut())
    }

    pub(crate) fn interrupt(&self) -> &Arc<InterruptFlag> {
        &self.interrupt
    }

    /// Replaces the connection by a new one, which has no settings, temporary objects, attached databases and counters of a
    /// script. The locks stay held.
    ///
    /// # Errors
    /// [`ErrorKind::SessionLost`] if the file of the database no longer exists.
    pub(crate) fn renew_connection(&mut self) -> Result<()> {
        let Some(old) = &self.connection else {
            return Ok(());
        };
        let new = self.open(false).map_err(connect_error)?;
        let Some(mut new) = new else {
            return Err(Error::new(
                ErrorKind::SessionLost,
                "the file of the database was removed",
            ));
        };
        if self.config == ConnectConfig::Memory {
            copy_database(old, &mut new).map_err(connect_error)?;
        } else {
            // Opens the file before the old connection closes it: the last connection that closes a database in WAL mode
            // checkpoints it. Without a result, the next statement reports why.
            let _ = new.query_row("SELECT count(*) FROM sqlite_master", (), |_| Ok(()));
        }
        self.connection = Some(new);
        Ok(())
    }

    /// Closes the connection, then releases every lock.
    pub(crate) fn close(&mut self) {
        self.connection = None;
        self.locks = Locks::new(&self.config);
    }

    fn open(&self, create: bool) -> rusqlite::Result<Option<Connection>> {
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let read_write = flags | OpenFlags::SQLITE_OPEN_READ_WRITE;
        let mut connection = match &self.config {
            ConnectConfig::Memory => Connection::open_in_memory()?,
            ConnectConfig::SharedMemory(name) => {
                let uri = format!("file:{name}?mode=memory&cache=shared");
                Connection::open_with_flags(
                    uri,
                    read_write | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_URI,
                )?
            }
            ConnectConfig::File { path, .. } if !create && !path.exists() => return Ok(None),
            ConnectConfig::File {
                path,
                read_only: true,
            } => Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_READ_ONLY)?,
            ConnectConfig::File { path, .. } => {
                Connection::open_with_flags(path, read_write | OpenFlags::SQLITE_OPEN_CREATE)?
            }
        };
        let interrupt = Arc::clone(&self.interrupt);
        connection.progress_handler(
            PROGRESS_HANDLER_OPS,
            Some(move || interrupt.is_triggered() || interrupt.is_past_deadline()),
        )?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        Ok(Some(connection))
    }
}

/// Copies a database that no second connection can open.
fn copy_database(from: &Connection, to: &mut Connection) -> rusqlite::Result<()> {
    let page_size: i64 = from.query_row("PRAGMA main.page_size", (), |row| row.get(0))?;
    to.pragma_update(None, "page_size", page_size)?;
    match Backup::new(from, to)?.step(-1)? {
        StepResult::Done => Ok(()),
        // No other connection can use either database.
        _ => Err(rusqlite::Error::InvalidQuery),
    }
}

fn connect_error(error: rusqlite::Error) -> Error {
    command_failure(error).into()
}

/// A closure that the thread runs.
type Job = Box<dyn FnOnce(&mut WorkerState) + Send>;

/// A session's handle of its thread.
#[derive(Debug)]
pub(crate) struct Worker {
    jobs: mpsc::Sender<Job>,
    interrupt: Arc<InterruptFlag>,
}

impl Worker {
    /// Starts a thread.
    pub(crate) fn start(config: ConnectConfig) -> Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let interrupt = Arc::new(InterruptFlag::default());
        let mut state = WorkerState {
            connection: None,
            locks: Locks::new(&config),
            foreign_keys: ForeignKeyCheck::default(),
            config,
            interrupt: Arc::clone(&interrupt),
        };
        let run = move || queue.into_iter().for_each(|job| job(&mut state));
        std::thread::Builder::new()
            .name("lockage-sqlite".into())
            .spawn(run)
            .map_err(|error| {
                Error::new(
                    ErrorKind::Unexpected,
                    format!("cannot start a thread: {error}"),
                )
                .with_source(error)
            })?;
        Ok(Self { jobs, interrupt })
    }

    pub(crate) fn interrupt(&self) -> &Arc<InterruptFlag> {
        &self.interrupt
    }

    /// Runs a job on the thread and returns its result.
    ///
    /// # Errors
    /// [`ErrorKind::SessionLost`] if the thread has ended.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut WorkerState) -> T + Send + 'static,
    ) -> Result<T> {
        let (sender, result) = oneshot::channel();
        self.send(move |state| {
            let _ = sender.send(job(state));
        });
        result
            .await
            .map_err(|_| Error::new(ErrorKind::SessionLost, "the session's thread has ended"))
    }

    /// Runs a job on the thread, without waiting for it.
    pub(crate) fn send(&self, job: impl FnOnce(&mut WorkerState) + Send + 'static) {
        // If the thread has ended, the next `call` reports it.
        let _ = self.jobs.send(Box::new(job));
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.interrupt.trigger();
    }
}
