//! The driver blocks, so each session has a thread that owns its attachment. Whoever drops the session while the thread waits for the
//! server has the server end it, from another attachment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{SystemTime, UNIX_EPOCH};

use lockage_core::{Error, ErrorKind, Result};
use rsfbclient_core::FbError;
use tokio::sync::oneshot;

use crate::address::Address;
use crate::attachment::Attachment;
use crate::error::failure;

type Job = Box<dyn FnOnce(&mut Option<Attachment>) + Send>;

#[derive(Debug)]
pub(crate) struct Worker {
    jobs: mpsc::Sender<Job>,
    address: Address,
    session: i64,
    busy: Arc<AtomicBool>,
}

impl Worker {
    pub(crate) async fn start(address: Address, create: bool) -> Result<Self> {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (answer, answered) = oneshot::channel();
        let place = address.clone();
        spawn(move || {
            let unix = SystemTime::now().duration_since(UNIX_EPOCH);
            let unix = unix.map_or(0, |since| since.as_secs() as i64);
            let opened = Attachment::open(&place, create)
                .and_then(|mut own| own.introduce(unix).map(|session| (own, session)));
            let mut own = match opened {
                Ok((own, session)) => answer.send(Ok(session)).is_ok().then_some(own),
                Err(error) => {
                    let _ = answer.send(Err(error));
                    None
                }
            };
            for job in inbox {
                job(&mut own);
            }
        })?;
        let session = answered.await.map_err(|_| gone())?.map_err(|error| {
            Error::new(
                ErrorKind::Connect,
                format!("cannot open {address:?}: {error}"),
            )
        })?;
        Ok(Self {
            jobs,
            address,
            session,
            busy: Arc::new(AtomicBool::new(false)),
        })
    }

    /// Has the thread do something, and waits for the answer.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Attachment) -> T + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        self.tell(move |own| {
            if let Some(own) = own {
                let _ = answer.send(job(own));
            }
        });
        answered.await.map_err(|_| gone())
    }

    /// Ends the session in good order.
    pub(crate) async fn close(&self) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        self.tell(move |own| {
            let _ = answer.send(own.take().map_or(Ok(()), Attachment::close));
        });
        let closed = answered.await.map_err(|_| gone())?;
        closed.map_err(|error| failure(0, error).error)
    }

    pub(crate) fn reach(&self) -> Reach {
        Reach {
            address: self.address.clone(),
            session: self.session,
        }
    }

    fn tell(&self, job: impl FnOnce(&mut Option<Attachment>) + Send + 'static) {
        let busy = Arc::clone(&self.busy);
        busy.store(true, Ordering::SeqCst);
        // A thread that has ended is noticed by whoever asks it something.
        let _ = self.jobs.send(Box::new(move |own| {
            job(own);
            busy.store(false, Ordering::SeqCst);
        }));
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.busy.load(Ordering::SeqCst) {
            let reach = self.reach();
            // Without the thread the session ends when its statement does.
            let _ = spawn(move || {
                let _ = reach.delete("MON$ATTACHMENTS");
            });
        }
    }
}

/// Reaches a session from outside.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    pub(crate) address: Address,
    pub(crate) session: i64,
}

impl Reach {
    /// Ends the session's statements (`MON$STATEMENTS`) or the session itself (`MON$ATTACHMENTS`). Blocks.
    pub(crate) fn delete(&self, from: &str) -> Result<(), FbError> {
        let mut other = Attachment::open(&self.address, false)?;
        other.run(&format!(
            "DELETE FROM {from} WHERE MON$ATTACHMENT_ID = {}",
            self.session
        ))?;
        other.close()
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

fn gone() -> Error {
    Error::new(ErrorKind::SessionLost, "the session's thread has ended")
}
