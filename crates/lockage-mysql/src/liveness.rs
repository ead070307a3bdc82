//! Detects that the server or the session is dead while a reply is outstanding.
//!
//! The driver does not change the time-outs of TCP. Without this check, a client waits about 15 minutes for a host that vanished.

use std::time::Duration;

use lockage_core::BoxFuture;

use crate::connect::{Connector, ProbeOutcome};
use crate::dialect::literal;
use crate::driver::{DriverConnection, Monitor, QueryError};
use crate::server_info::{self, ServerId, ServerInfo};

/// The time before the first probe, between two probes, and for opening the connection of a probe.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// How long a server may take to answer a probe before its host is probed.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// Probes a server over another connection.
#[derive(Debug)]
pub(crate) struct LivenessMonitor {
    connector: Connector,
    server_id: ServerId,
    /// The number of the session whose reply is outstanding.
    connection: u64,
}

/// The result of a probe.
enum Liveness {
    /// The server lists the session.
    SessionAlive,
    /// The server does not list the session.
    SessionEnded,
    /// The host accepts connections, or another server answered; the state of the session is unknown.
    HostReachable,
    /// The host does not accept connections.
    Unreachable,
}

impl Monitor for LivenessMonitor {
    fn wait_until_dead(&self) -> BoxFuture<'_, &'static str> {
        Box::pin(self.watch())
    }
}

impl LivenessMonitor {
    pub(crate) fn new(connector: &Connector, server: &ServerInfo) -> Self {
        Self {
            connector: connector.clone(),
            server_id: server.server_id.clone(),
            connection: server.connection,
        }
    }

    /// Probes until the host is unreachable, or until a session that was listed is no longer listed.
    async fn watch(&self) -> &'static str {
        if !self.connector.is_remote() {
            // The kernel reports the end of a local server.
            return std::future::pending().await;
        }
        let mut driver = None;
        let (mut was_alive, mut was_ended) = (false, false);
        loop {
            tokio::time::sleep(PROBE_INTERVAL).await;
            match self.probe(&mut driver).await {
                Liveness::SessionAlive => (was_alive, was_ended) = (true, false),
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
            "{}; SELECT ID FROM information_schema.PROCESSLIST WHERE ID = {}",
            server_info::SERVER_ID_QUERY,
            literal(&self.connection.to_string())
        );
        let sets = driver.run(&sql).await?;
        Ok(match &sets[..] {
            [variables, _] if server_info::server_id(variables) != self.server_id => {
                Liveness::HostReachable
            }
            [_, sessions] if sessions.is_empty() => Liveness::SessionEnded,
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
