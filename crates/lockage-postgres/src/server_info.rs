//! What the server reports about itself.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::Connection;

/// The server of a connection.
#[derive(Debug, Clone)]
pub(crate) struct ServerInfo {
    /// The major version; 0 if the reported version is not a number.
    pub(crate) version: u32,
    /// The authenticated user.
    pub(crate) user: Option<String>,
    /// `pg_postmaster_start_time()`, once it was queried. It distinguishes a restarted server from one that only ended this
    /// session.
    pub(crate) started_at: Option<String>,
}

impl ServerInfo {
    /// Reads the parameters that the server sent when the connection started.
    pub(crate) fn from_connection<S, T>(connection: &Connection<S, T>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin,
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let version = connection.parameter("server_version").unwrap_or_default();
        let digits = version
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap_or_default();
        Self {
            version: digits.parse().unwrap_or(0),
            user: connection
                .parameter("session_authorization")
                .map(str::to_owned),
            started_at: None,
        }
    }
}
