//! Whether a session ended because its server went away. Then a run may begin anew; not when somebody ended the session, which on MySQL looks
//! just like a line that was cut.

use std::time::Duration;

use lockage_core::{Error, ErrorKind};

use crate::connect::Gangway;
use crate::facts::{self, Facts};

/// How long a server may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(5);

/// How much the time of a server's start may seem to move by.
const SECONDS: u64 = 2;

/// Says of the loss of a session whether the server is gone, or is another process by now.
pub(crate) async fn judge(gangway: &Gangway, facts: &Facts, error: Error) -> Error {
    if error.kind() != ErrorKind::SessionLost || stands(gangway, facts).await {
        return error;
    }
    error.server_gone()
}

async fn stands(gangway: &Gangway, facts: &Facts) -> bool {
    let mut wire = match tokio::time::timeout(PATIENCE, gangway.open()).await {
        Ok(Ok(wire)) => wire,
        Ok(Err(error)) => return !error.is_retryable(),
        Err(_) => return false,
    };
    let Ok(sets) = wire
        .run(&format!("{}; {}", facts::IDENTITY, facts::AGE))
        .await
    else {
        return false;
    };
    let [variables, status, now] = &sets[..] else {
        return false;
    };
    let now = now.first().and_then(|row| row.first()?.as_deref());
    facts::identity(variables) == facts.identity
        && facts::started(now, status).abs_diff(facts.started) <= SECONDS
}
