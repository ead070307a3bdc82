//! Why a session ended: its server or the line to it went away, and a run may begin anew; or somebody ended it, and meant it.

use std::time::Duration;

use lockage_core::{Error, ErrorKind};
use lockage_sql::Row;

use crate::connect::Gangway;
use crate::error;
use crate::facts::{self, Facts};
use crate::wire::Wire;

/// How long a server may take to say what it knows.
const PATIENCE: Duration = Duration::from_secs(5);

/// How much the time of a server's start may seem to move by.
const SECONDS: u64 = 2;

/// What became of a session.
enum Fate {
    /// Its server is gone, or is another process by now.
    ServerGone,
    /// Its line was cut. Where the server has not noticed, it was told to end the session.
    DisconnectProbe,
    /// Somebody ended it, or that cannot be told from a line that was cut.
    Ended,
}

/// Says of the loss of a session whether nobody meant it. `silent`: whether the session had been silent for longer than it may.
pub(crate) async fn judge(gangway: &Gangway, facts: &Facts, silent: bool, error: Error) -> Error {
    if error.kind() != ErrorKind::SessionLost || error.is_connection_lost() {
        return error;
    }
    match tokio::time::timeout(PATIENCE, fate(gangway, facts, &error)).await {
        Ok(Fate::Ended) => error,
        Ok(Fate::DisconnectProbe) if silent => error,
        Ok(Fate::ServerGone | Fate::DisconnectProbe) | Err(_) => error.with_status(Status::ConnectionLost),
    }
}

async fn fate(gangway: &Gangway, facts: &Facts, error: &Error) -> Fate {
    let mut wire = match gangway.open().await {
        Ok(wire) => wire,
        Err(error) if error.is_temporary() => return Fate::ServerGone,
        Err(_) => return Fate::Ended,
    };
    let sql = format!("{}; {}", facts::IDENTITY, facts::AGE);
    let Ok(sets) = wire.run(&sql).await else {
        return Fate::ServerGone;
    };
    let [variables, status, now] = &sets[..] else {
        return Fate::ServerGone;
    };
    let now = now.first().and_then(|row| row.first()?.as_deref());
    if facts::identity(variables) != facts.identity
        || facts::started(now, status).abs_diff(facts.started) > SECONDS
    {
        return Fate::ServerGone;
    }
    let fate = match error::says_goodbye(error) {
        true => Fate::Ended,
        false => of_session(&mut wire, facts, status).await,
    };
    let _ = wire.close().await;
    fate
}

/// What a server that stands knows of the session. It counts every KILL; where there was none, nobody ended it.
async fn of_session(wire: &mut Wire, facts: &Facts, status: &[Row]) -> Fate {
    let id = facts.connection;
    let sql = format!("SELECT COMMAND FROM information_schema.PROCESSLIST WHERE ID = {id}");
    let command = match wire.ask(&sql).await {
        Ok(sets) => sets.into_iter().flatten().flatten().next().flatten(),
        Err(_) => None,
    };
    match command.as_deref() {
        Some("Killed") => Fate::Ended,
        Some(_) => {
            // It would go on with its statement and keep the lock until the end of that.
            let _ = wire.execute(&format!("KILL {id}")).await;
            Fate::DisconnectProbe
        }
        None if facts::kills(status).is_some_and(|kills| kills == facts.kills_expected()) => {
            Fate::DisconnectProbe
        }
        None => Fate::Ended,
    }
}
