//! A TCP proxy that counts how often the client speaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use lockage_testkit::Failure;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// The message `Terminate`.
const FAREWELL: [u8; 5] = [b'X', 0, 0, 0, 4];

/// Ends when dropped.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    turns: Arc<AtomicU32>,
    listener: AbortHandle,
}

impl Proxy {
    pub(crate) async fn start(server: &str) -> Result<Self, Failure> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let turns = Arc::new(AtomicU32::new(0));
        let (server, counter) = (server.to_owned(), Arc::clone(&turns));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server.clone(), Arc::clone(&counter)));
            }
        });
        Ok(Self {
            port,
            turns,
            listener: task.abort_handle(),
        })
    }

    /// How often the client has sent something since the server last did, over all connections. A farewell, for which the client does
    /// not wait, does not count.
    pub(crate) fn turns(&self) -> u32 {
        self.turns.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn carry(client: TcpStream, server: String, turns: Arc<AtomicU32>) -> Result<(), Failure> {
    let (mut from_server, mut to_server) = TcpStream::connect(server).await?.into_split();
    let (mut from_client, mut to_client) = client.into_split();
    let clients_turn = Arc::new(AtomicBool::new(true));
    let seen = Arc::clone(&clients_turn);
    let up = async move {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let n = from_client.read(&mut buffer).await?;
            if n == 0 {
                return to_server.shutdown().await;
            }
            if buffer[..n] != FAREWELL && clients_turn.swap(false, Ordering::SeqCst) {
                turns.fetch_add(1, Ordering::SeqCst);
            }
            to_server.write_all(&buffer[..n]).await?;
        }
    };
    let down = async move {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let n = from_server.read(&mut buffer).await?;
            if n == 0 {
                return to_client.shutdown().await;
            }
            seen.store(true, Ordering::SeqCst);
            to_client.write_all(&buffer[..n]).await?;
        }
    };
    tokio::try_join!(up, down)?;
    Ok(())
}
