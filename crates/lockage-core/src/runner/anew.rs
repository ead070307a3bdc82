//! A run whose server went away.

use super::{Aim, Runner};
use crate::lock::Patience;
use crate::{Error, ErrorKind, Event, Report, Result};

/// How often in a row the server may go away at the same place: a statement may be what brings it down.
const MOST: u32 = 3;

impl Runner {
    /// Runs. Where the server, or the way to it, goes away meanwhile, the run begins anew with another session, as long as its patience with
    /// the lock lasts: what was not committed is rolled back, and whether a commit that nobody answered took place stands in the history.
    ///
    /// Only what brings the database to where the files are: to take a step back twice would be one too many.
    pub(super) async fn run_on(&self, aim: Aim<'_>, report: &mut Report) -> Result<()> {
        let mut loss: Option<Loss> = None;
        loop {
            let error = match self.run(aim, report).await {
                Ok(()) => break,
                Err(error) if matches!(aim, Aim::Up) => error,
                Err(error) => return Err(error),
            };
            let loss = match &mut loss {
                _ if error.is_connection_lost() => {
                    let before = loss.take();
                    loss.insert(Loss::new(error, report, before, Patience::new(self.wait)))
                }
                // It is not back yet.
                Some(loss) if error.kind() == ErrorKind::Connect && error.is_temporary() => loss,
                _ => return Err(error),
            };
            if loss.patience.is_over() {
                return Err(loss.take_error());
            }
            if loss.times > MOST {
                let error = loss.take_error();
                return Err(error.with_hint(format!(
                    "the server went away {} times at this place; look into its log",
                    MOST + 1
                )));
            }
            if !std::mem::replace(&mut loss.told, true) {
                self.observer.on_event(&Event::Reconnecting {
                    message: &loss.message,
                });
            }
            let pause = loss.patience.next_pause();
            self.or_interrupted(async {
                tokio::time::sleep(pause).await;
                Ok(())
            })
            .await?;
        }
        if report.is_step_open() {
            // Somebody found everything current; what this run had a part in, the history tells.
            let history = self.history().await?;
            report.recall(&history, &self.connect.run_id);
        }
        Ok(())
    }
}

/// The server went away.
struct Loss {
    error: Option<Error>,
    message: String,
    told: bool,
    /// How much the run had applied.
    applied: usize,
    /// How often, with nothing applied in between.
    times: u32,
    patience: Patience,
}

impl Loss {
    fn new(error: Error, report: &Report, before: Option<Self>, patience: Patience) -> Self {
        let applied = report.applied.len();
        let times = before.map_or(1, |before| match before.applied == applied {
            true => before.times + 1,
            false => 1,
        });
        Self {
            message: error.message().to_owned(),
            told: false,
            error: Some(error),
            applied,
            times,
            patience,
        }
    }

    fn take_error(&mut self) -> Error {
        self.error
            .take()
            .unwrap_or_else(|| Error::new(ErrorKind::SessionLost, self.message.clone()))
    }
}
