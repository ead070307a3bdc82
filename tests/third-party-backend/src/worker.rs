//! Runs the blocking driver on a thread per session.
//!
//! The thread owns the attachment. If the session is dropped while the thread waits for the server, another attachment
//! terminates the session.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{SystemTime, UNIX_EPOCH};

use lockage_core::{Error, ErrorKind, Result};
use tokio::sync::oneshot;

use crate::attachment::Attachment;
use crate::cancel::SessionControl;
use crate::config::ConnectConfig;
use crate::error::into_error;

type Job = Box<dyn FnOnce(&mut Option<Attachment>) + Send>;

#[derive(Debug)]
pub(crate) struct Worker {
    jobs: mpsc::Sender<Job>,
    session_control: SessionControl,
    is_busy: Arc<AtomicBool>,
}

impl Worker {
    /// Starts the thread and opens the attachment.
    pub(crate) async fn start(config: ConnectConfig, create: bool) -> Result<Self> {
        let (jobs, job_queue) = mpsc::channel::<Job>();
        let (sender, receiver) = oneshot::channel();
        let thread_config = config.clone();
        spawn(move || {
            let unix = SystemTime::now().duration_since(UNIX_EPOCH);
            let unix_secs = unix.map_or(0, |since| since.as_secs() as i64);
            let opened = Attachment::open(&thread_config, create).and_then(|mut attachment| {
                let session_id = attachment.initialize_session(unix_secs)?;
                Ok((attachment, session_id))
            });
            let mut attachment = match opened {
                Ok((attachment, session_id)) => {
                    sender.send(Ok(session_id)).is_ok().then_some(attachment)
                }
                Err(error) => {
                    let _ = sender.send(Err(error));
                    None
                }
            };
            for job in job_queue {
                job(&mut attachment);
            }
        })?;
        let session_id = receiver
            .await
            .map_err(|_| session_lost_error())?
            .map_err(|error| {
                Error::new(
                    ErrorKind::Connect,
                    format!("cannot open {config:?}: {error}"),
                )
            })?;
        Ok(Self {
            jobs,
            session_control: SessionControl { config, session_id },
            is_busy: Arc::new(AtomicBool::new(false)),
        })
    }

    /// Runs a job on the thread and returns its result.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Attachment) -> T + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        self.send(move |attachment| {
            if let Some(attachment) = attachment {
                let _ = sender.send(job(attachment));
            }
        });
        receiver.await.map_err(|_| session_lost_error())
    }

    /// Closes the session in an orderly way.
    pub(crate) async fn close(&self) -> Result<()> {
        let (sender, receiver) = oneshot::channel();
        self.send(move |attachment| {
            let _ = sender.send(attachment.take().map_or(Ok(()), Attachment::close));
        });
        let closed = receiver.await.map_err(|_| session_lost_error())?;
        closed.map_err(into_error)
    }

    pub(crate) fn session_control(&self) -> SessionControl {
        self.session_control.clone()
    }

    fn send(&self, job: impl FnOnce(&mut Option<Attachment>) + Send + 'static) {
        let is_busy = Arc::clone(&self.is_busy);
        is_busy.store(true, Ordering::SeqCst);
        // If the thread has ended, the caller that waits for the result notices.
        let _ = self.jobs.send(Box::new(move |attachment| {
            job(attachment);
            is_busy.store(false, Ordering::SeqCst);
        }));
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.is_busy.load(Ordering::SeqCst) {
            let session_control = self.session_control();
            // If the thread cannot start, the session ends with its running statement.
            let _ = spawn(move || {
                let _ = session_control.terminate_session();
            });
        }
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = std::thread::Builder::new().name("lockage-firebird".into());
    thread.spawn(work).map(drop).map_err(|error| {
        Error::new(
            ErrorKind::Unexpected,
            format!("cannot start a thread: {error}"),
        )
    })
}

fn session_lost_error() -> Error {
    Error::new(ErrorKind::SessionLost, "the session's thread has ended")
}
