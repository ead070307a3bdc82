//! Detects that the server or the session is dead while a reply is outstanding.
//!
//! The driver does not change the time-outs of TCP. Without this check, a client waits about 15 minutes for a host that vanished.

use std::time::Duration;

use lockage_core::BoxFuture;
use tokio::time::Instant;

use crate::connect::{Connector, ProbeOutcome};
use crate::dialect::literal;
use crate::driver::{DriverConnection, Monitor, QueryError};
use crate::server_info::{self, ServerId, ServerInfo};

/// The time before the first probe, between two probes, and for opening the connection of a probe.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// How long a server may take to answer a probe before its host is probed.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// After this time, a session that the server reports as idle has not received the request, or its reply was lost.
const MAX_SERVER_IDLE: Duration = Duration::from_secs(15);

/// A request of this many bytes may take a second to arrive. The server reports the session as idle until it has the whole request.
const MIN_BYTES_PER_SEC: usize = 16 * 1024;

/// Probes a server over another connection.
#[derive(Debug)]
pub(crate) struct LivenessMonitor {
    connector: Connector,
    server_id: ServerId,
    /// The number of the session whose reply is outstanding.
    connection: u64,
    /// Whether the server lists the session for certain while it exists: no proxy is in between that gave it another number.
    is_direct: bool,
}

/// The result of a probe.
enum Liveness {
    /// The server lists the session.
    SessionAlive,
    /// The server lists the session as idle: it processes no request.
    SessionIdle,
    /// The server does not list the session.
    SessionEnded,
    /// The host accepts connections, or another server answered; the state of the session is unknown.
    HostReachable,
    /// The host does not accept connections.
    Unreachable,
}

impl Monitor for LivenessMonitor {
    fn wait_until_dead(&self, sent: usize) -> BoxFuture<'_, &'static str> {
        Box::pin(self.watch(sent))
    }
}

impl LivenessMonitor {
    /// `handshake_id`: the number of the session that the client received before the login.
    pub(crate) fn new(connector: &Connector, server: &ServerInfo, handshake_id: u32) -> Self {
        Self {
            is_direct: server.connection & u64::from(u32::MAX) == u64::from(handshake_id),
            connector: connector.clone(),
            server_id: server.server_id.clone(),
            connection: server.connection,
        }
    }

    /// Probes until the host is unreachable, until a session that was listed is no longer listed, or until the server has been idle
    /// for too long.
    async fn watch(&self, sent: usize) -> &'static str {
        if !self.connector.is_remote() {
            // The kernel reports the end of a local server.
            return std::future::pending().await;
        }
        let mut driver = None;
        let (mut was_alive, mut was_ended) = (self.is_direct, false);
        let mut idle_since = None;
        let max_idle = MAX_SERVER_IDLE + Duration::from_secs((sent / MIN_BYTES_PER_SEC) as u64);
        loop {
            tokio::time::sleep(PROBE_INTERVAL).await;
            let liveness = self.probe(&mut driver).await;
            match liveness {
                Liveness::SessionIdle => {
                    let since = idle_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= max_idle {
                        return "the server processes no request of the session, and no reply arrived";
                    }
                }
                _ => idle_since = None,
            }
            match liveness {
                Liveness::SessionAlive | Liveness::SessionIdle => {
                    (was_alive, was_ended) = (true, false);
                }
                // Two probes must agree: the reply and the end of the connection may still be in transit.
                Liveness::SessionEnded if was_alive && was_ended => {
                    return "the session ended on the server without a reply";
                }
                Liveness::SessionEnded => was_ended = true,
                Liveness::HostReachable => {}
                Liveness::Unreachable => return "the server is unreachable",
            }
        }
    }

    async fn probe(&self, driver: &mut Option<DriverConnection>) -> Liveness {
        if driver.is_none() {
            match self.connector.try_open(PROBE_INTERVAL).await {
                ProbeOutcome::Connected(opened) => *driver = Some(*opened),
                ProbeOutcome::Rejected => return Liveness::HostReachable,
                ProbeOutcome::NoAnswer => return self.probe_host().await,
            }
        }
        let Some(open) = driver else {
            return Liveness::HostReachable;
        };
        match tokio::time::timeout(PROBE_TIMEOUT, self.probe_session(open)).await {
            Ok(Ok(liveness)) => liveness,
            // A busy server answers slowly; its host accepts connections all the same.
            Ok(Err(_)) | Err(_) => {
                *driver = None;
                self.probe_host().await
            }
        }
    }

    async fn probe_session(&self, driver: &mut DriverConnection) -> Result<Liveness, QueryError> {
        let sql = format!(
            "{}; SELECT COMMAND FROM information_schema.PROCESSLIST WHERE ID = {}",
            server_info::SERVER_ID_QUERY,
            literal(&self.connection.to_string())
        );
        let sets = driver.run(&sql).await?;
        Ok(match &sets[..] {
            [variables, _] if server_info::server_id(variables) != self.server_id => {
                Liveness::HostReachable
            }
            [_, sessions] if sessions.is_empty() => Liveness::SessionEnded,
            [_, sessions] if sessions[0].first() == Some(&Some("Sleep".into())) => {
                Liveness::SessionIdle
            }
            [_, _] => Liveness::SessionAlive,
            _ => Liveness::HostReachable,
        })
    }

    async fn probe_host(&self) -> Liveness {
        if self.connector.is_port_open().await {
            Liveness::HostReachable
        } else {
            Liveness::Unreachable
        }
    }
}
