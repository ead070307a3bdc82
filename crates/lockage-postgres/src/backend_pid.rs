//! Reads the backend process id that the server sent when the connection started.
//!
//! The driver keeps it private, but writes it into cancel requests: one is written to a stream in memory and read from there.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_postgres::CancelToken;

use crate::no_tls::NoTlsConnector;

/// A cancel request ends with the process id and the secret key, four bytes each.
const CANCEL_KEY_LEN: usize = 8;

/// Returns the process id of the connection. A pooler generates its own id, which differs from `pg_backend_pid()`.
pub(crate) async fn backend_pid(token: &CancelToken) -> Option<i32> {
    let (mut server, client) = duplex(64);
    let reply = async {
        // Accepts a request for TLS. Without such a request, the client may have closed the stream already.
        let _ = server.write_all(b"S").await;
        let mut written = Vec::new();
        server.read_to_end(&mut written).await?;
        io::Result::Ok(written)
    };
    let (sent, written) = tokio::join!(token.cancel_query_raw(client, NoTlsConnector), reply);
    sent.ok()?;
    let written = written.ok()?;
    let key = written.get(written.len().checked_sub(CANCEL_KEY_LEN)?..)?;
    Some(i32::from_be_bytes(key[..4].try_into().ok()?))
}
