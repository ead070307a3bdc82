//! Repeating an attempt after the loss of the connection.

use super::Runner;
use super::operation::{Operation, Run};
use crate::event::Event;
use crate::lock::WaitSchedule;
use crate::{Error, ErrorKind, Result};

/// The maximum number of losses in a row without a finished step in between. A statement of the migration can be what
/// crashes the server.
const MAX_RECONNECTS: u32 = 3;

impl Runner {
    /// Executes a run. If the server or the network ends the connection, reconnects and continues, until the timeout of the
    /// wait for the lock.
    ///
    /// The server rolls back what was not committed. The history shows whether a commit without an answer took effect.
    ///
    /// Only `up` is repeated: repeating `down` could undo one migration too many.
    pub(super) async fn run_with_reconnect(&self, run: &mut Run<'_>) -> Result<()> {
        let mut loss: Option<ConnectionLoss> = None;
        loop {
            let error = match self.attempt(run).await {
                Ok(()) => break,
                Err(error) if matches!(run.operation, Operation::Up) => error,
                Err(error) => return Err(error),
            };
            let loss = match &mut loss {
                _ if error.is_connection_lost() => {
                    let schedule = WaitSchedule::new(self.wait);
                    let applied = run.report.applied.len();
                    let previous = loss.take();
                    loss.insert(ConnectionLoss::new(error, applied, previous, schedule))
                }
                // The server is not reachable yet.
                Some(loss) if error.kind() == ErrorKind::Connect && error.is_temporary() => loss,
                _ => return Err(error),
            };
            if loss.schedule.is_expired() {
                return Err(loss.take_error());
            }
            if loss.times > MAX_RECONNECTS {
                let times = loss.times;
                let error = loss.take_error();
                return Err(error.with_hint(format!(
                    "the server disconnected {times} times while running this migration; check the server log"
                )));
            }
            if !std::mem::replace(&mut loss.is_reported, true) {
                self.observer.on_event(&Event::Reconnecting {
                    message: &loss.message,
                });
            }
            let delay = loss.schedule.next_delay();
            self.with_interrupt(async {
                tokio::time::sleep(delay).await;
                Ok(())
            })
            .await?;
        }
        if run.report.has_open_step() {
            // The last attempt found nothing to do and did not acquire the lock. The history shows whether this run
            // committed the step whose result was lost.
            let history = self.history().await?;
            run.report.reconcile(&history, &self.connect.run_id);
        }
        Ok(())
    }
}

/// The loss of a connection during a run.
struct ConnectionLoss {
    error: Option<Error>,
    message: String,
    is_reported: bool,
    /// The number of steps that the run had executed.
    applied: usize,
    /// The number of losses without an executed step in between.
    times: u32,
    schedule: WaitSchedule,
}

impl ConnectionLoss {
    fn new(error: Error, applied: usize, previous: Option<Self>, schedule: WaitSchedule) -> Self {
        let times = match previous {
            Some(previous) if previous.applied == applied => previous.times + 1,
            _ => 1,
        };
        Self {
            message: error.message().to_owned(),
            is_reported: false,
            error: Some(error),
            applied,
            times,
            schedule,
        }
    }

    fn take_error(&mut self) -> Error {
        self.error
            .take()
            .unwrap_or_else(|| Error::new(ErrorKind::SessionLost, self.message.clone()))
    }
}
