//! Finds out why a session was lost.
//!
//! A run may reconnect when the server restarted or the network failed. It must not reconnect when an administrator killed the
//! session.

use std::time::Duration;

use lockage_core::{Error, ErrorKind, Status};
use lockage_sql::Row;

use crate::connect::Connector;
use crate::driver::{DriverConnection, first_value};
use crate::error;
use crate::server_info::{self, ServerInfo};

/// How long a server may take to answer.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a session was lost.
enum DisconnectReason {
    /// The server is down, or another process runs at its address.
    ServerRestarted,
    /// The connection failed. If the server had not noticed, it was asked to end the session.
    NetworkLost,
    /// Another client killed the session, or this cannot be ruled out.
    Killed,
}

/// Adds [`Status::ConnectionLost`] to the error of a session that no client killed.
///
/// `idle_too_long`: the session had been idle for longer than the server allows.
pub(crate) async fn classify(
    connector: &Connector,
    server: &ServerInfo,
    idle_too_long: bool,
    error: Error,
) -> Error {
    if error.kind() != ErrorKind::SessionLost || error.is_connection_lost() {
        return error;
    }
    match tokio::time::timeout(PROBE_TIMEOUT, reason(connector, server, &error)).await {
        Ok(DisconnectReason::Killed) => error,
        Ok(DisconnectReason::NetworkLost) if idle_too_long => error,
        Ok(DisconnectReason::ServerRestarted | DisconnectReason::NetworkLost) | Err(_) => {
            error.with_status(Status::ConnectionLost)
        }
    }
}

async fn reason(connector: &Connector, server: &ServerInfo, error: &Error) -> DisconnectReason {
    let mut driver = match connector.open().await {
        Ok(driver) => driver,
        Err(error) if error.is_temporary() => return DisconnectReason::ServerRestarted,
        Err(_) => return DisconnectReason::Killed,
    };
    let sql = format!(
        "{}; {}",
        server_info::SERVER_ID_QUERY,
        server_info::UPTIME_QUERY
    );
    let Ok(sets) = driver.run(&sql).await else {
        return DisconnectReason::ServerRestarted;
    };
    let [variables, status, now] = &sets[..] else {
        return DisconnectReason::ServerRestarted;
    };
    let now = now.first().and_then(|row| row.first()?.as_deref());
    if server_info::server_id(variables) != server.server_id
        || !server.has_started_at(server_info::started_at(now, status))
    {
        return DisconnectReason::ServerRestarted;
    }
    let reason = if error::is_server_disconnect(error) {
        DisconnectReason::Killed
    } else {
        reason_for_session(&mut driver, server, status).await
    };
    let _ = driver.close().await;
    reason
}

/// Returns why a server that did not restart lost the session. The server counts every KILL: if the count contains only this
/// client's own, no other client killed the session.
async fn reason_for_session(
    driver: &mut DriverConnection,
    server: &ServerInfo,
    status: &[Row],
) -> DisconnectReason {
    let id = server.connection;
    let sql = format!("SELECT COMMAND FROM information_schema.PROCESSLIST WHERE ID = {id}");
    let command = driver.query_sets(&sql).await.ok().and_then(first_value);
    match command.as_deref() {
        Some("Killed") => DisconnectReason::Killed,
        Some(_) => {
            // The server has not noticed the loss. The session would continue its statement, and keep the lock until then.
            server.count_own_kill();
            let _ = driver.execute(&format!("KILL {id}")).await;
            DisconnectReason::NetworkLost
        }
        None if server_info::kill_count(status)
            .is_some_and(|count| count == server.expected_kill_count()) =>
        {
            DisconnectReason::NetworkLost
        }
        None => DisconnectReason::Killed,
    }
}
