//! Pieces in as few round trips as can be: statements of ours that follow each other travel together, each of a script alone.

use std::time::Duration;

use lockage_core::{Error, ErrorKind};
use lockage_sql::{CommandError, Command, AssertionError};

use crate::error;
use crate::kill::{Kill, KillSwitch};
use crate::wire::Wire;

/// How long a statement that is to end may take to do so before the session is given up.
const GRACE: Duration = Duration::from_secs(10);

/// Runs pieces in order; stops at the first that fails.
pub(crate) async fn run(
    wire: &mut Wire,
    kill: &KillSwitch,
    limit: Option<Duration>,
    pieces: &[Command<'_>],
    done: &mut (dyn FnMut(usize) + Send),
) -> Result<(), CommandError> {
    let mut convoy = Convoy::default();
    for (index, piece) in pieces.iter().enumerate() {
        match piece {
            Command::Internal(sql) => convoy.push(index, sql),
            Command::Assert(condition, refusal) => {
                convoy.push(index, &format!("SELECT {condition}"));
                convoy.sail(wire, Some(refusal), done).await?;
            }
            Command::Script(sql) => {
                convoy.sail(wire, None, done).await?;
                statement(wire, kill, limit, index, sql).await?;
                done(index);
            }
        }
    }
    convoy.sail(wire, None, done).await
}

/// Statements of ours that wait to be sent.
#[derive(Default)]
struct Convoy {
    /// For each statement of the text, the index of its piece.
    pieces: Vec<usize>,
    text: String,
}

impl Convoy {
    /// A piece may hold several statements; none of ours has a semicolon in a literal, whose hexadecimal digits keep it out.
    fn push(&mut self, index: usize, sql: &str) {
        if !self.text.is_empty() {
            self.text.push_str("; ");
        }
        self.text.push_str(sql);
        let statements =
            lockage_sql::script::Splitter::new(sql.as_bytes(), crate::dialect::DIALECT.syntax)
                .count();
        self.pieces.extend(std::iter::repeat_n(index, statements));
    }

    /// Sends them. With a refusal, the last one asks whether a condition is true.
    async fn sail(
        &mut self,
        wire: &mut Wire,
        refusal: Option<&AssertionError>,
        done: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), CommandError> {
        let text = std::mem::take(&mut self.text);
        let pieces = std::mem::take(&mut self.pieces);
        let Some(last) = pieces.last().copied() else {
            return Ok(());
        };
        let sets = wire.run(&text).await.map_err(|broken| {
            let piece = pieces.get(broken.index).copied().unwrap_or(last);
            CommandError {
                place: None,
                ..error::failure(piece, &text, broken.error)
            }
        })?;
        if let Some(refusal) = refusal {
            let answer = sets
                .last()
                .and_then(|rows| rows.first()?.first()?.as_deref());
            if answer != Some("1") {
                return Err(CommandError::new(last, refusal.clone().into()));
            }
        }
        let mut told = None;
        for piece in pieces {
            if told != Some(piece) {
                done(piece);
            }
            told = Some(piece);
        }
        Ok(())
    }
}

/// Runs one statement of a script, as long as it may.
async fn statement(
    wire: &mut Wire,
    kill: &KillSwitch,
    limit: Option<Duration>,
    index: usize,
    sql: &str,
) -> Result<(), CommandError> {
    if kill.take_cancelled() {
        return Err(CommandError::new(index, interrupted()));
    }
    let (outcome, late) = match limit {
        None => (wire.execute(sql).await, None),
        Some(limit) => {
            let mut work = std::pin::pin!(wire.execute(sql));
            tokio::select! {
                outcome = &mut work => (outcome, None),
                () = tokio::time::sleep(limit) => {
                    let (_, ended) = tokio::join!(kill.kill(Kill::Query), tokio::time::timeout(GRACE, &mut work));
                    let Ok(outcome) = ended else {
                        let lost = "a statement took too long and could not be ended; the session was given up";
                        return Err(CommandError::new(index, Error::new(ErrorKind::SessionLost, lost)));
                    };
                    (outcome, Some(limit))
                }
            }
        }
    };
    let cancelled = kill.take_cancelled();
    match outcome {
        // An interrupted SLEEP and its like end without an error. What committed by itself is done all the same.
        Ok(()) if cancelled && wire.in_transaction() => Err(CommandError::new(index, interrupted())),
        Ok(()) => match late.filter(|_| wire.in_transaction()) {
            Some(limit) => Err(CommandError::new(index, too_late(limit))),
            None => Ok(()),
        },
        Err(error) => match error::number(&error) {
            // Nothing but a comment that is meant for other servers.
            Some(1065) => Ok(()),
            Some(1317 | 1969 | 3024) if cancelled => {
                Err(CommandError::new(index, interrupted().with_source(error)))
            }
            Some(1317) => Err(CommandError::new(
                index,
                match late {
                    Some(limit) => too_late(limit).with_source(error),
                    None => Error::new(
                        ErrorKind::MigrationFailed,
                        "somebody cancelled the statement (KILL QUERY)",
                    )
                    .with_source(error),
                },
            )),
            _ => {
                let failure = error::failure(index, sql, error);
                Err(CommandError {
                    error: of_a_script(failure.error),
                    ..failure
                })
            }
        },
    }
}

/// What would be a failure to connect at the beginning is one of the statement later.
fn of_a_script(error: Error) -> Error {
    if error.kind() != ErrorKind::Connect || error.is_temporary() {
        return error;
    }
    Error::new(ErrorKind::MigrationFailed, error.message()).with_source(error)
}

fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, "the statement was interrupted")
}

fn too_late(limit: Duration) -> Error {
    Error::new(
        ErrorKind::MigrationFailed,
        format!("the statement took longer than {limit:?} and was ended"),
    )
    .with_hint("give it more time with `-- lockage: statement-timeout=10m` or --statement-timeout")
}
