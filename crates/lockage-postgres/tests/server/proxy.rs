//! A TCP proxy that counts how often the client speaks, cuts the line when told, and leads elsewhere when the server moves.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lockage_testkit::TestError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// The message `Terminate`.
const FAREWELL: [u8; 5] = [b'X', 0, 0, 0, 4];

/// When the line is cut, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// When the client speaks for so many times, in place of passing it on.
    Before(u32),
    /// When the server has answered what the client said at so many times, in place of passing it on.
    Behind(u32),
}

/// Ends when dropped.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    listener: AbortHandle,
}

struct Shared {
    server: Mutex<String>,
    turns: AtomicU32,
    cut: Mutex<Option<Cut>>,
    /// Ends the lines that there are.
    ended: Notify,
}

impl Shared {
    /// Whether the line is to be cut here; true once.
    fn cuts(&self, here: Cut) -> bool {
        let mut cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
        cut.take_if(|cut| *cut == here).is_some()
    }
}

impl Proxy {
    pub(crate) async fn start(server: &str) -> Result<Self, TestError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            server: Mutex::new(server.to_owned()),
            turns: AtomicU32::new(0),
            cut: Mutex::new(None),
            ended: Notify::new(),
        });
        let carried = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&carried);
                tokio::spawn(async move {
                    tokio::select! {
                        _ = carry(client, &shared) => {}
                        () = shared.ended.notified() => {}
                    }
                });
            }
        });
        Ok(Self {
            port,
            shared,
            listener: task.abort_handle(),
        })
    }

    /// How often the client has sent something since the server last did, over all connections. A farewell, for which the client does
    /// not wait, does not count.
    pub(crate) fn turns(&self) -> u32 {
        self.shared.turns.load(Ordering::SeqCst)
    }

    /// Cuts a line at a place that is still to come.
    pub(crate) fn cut_at(&self, cut: Cut) {
        *self
            .shared
            .cut
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(cut);
    }

    /// Whether that place has not come.
    pub(crate) fn is_whole(&self) -> bool {
        self.shared
            .cut
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    /// Cuts every line that there is.
    pub(crate) fn cut(&self) {
        self.shared.ended.notify_waiters();
    }

    /// Leads what connects from now on to another server.
    pub(crate) fn lead_to(&self, server: &str) {
        *self
            .shared
            .server
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = server.to_owned();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
        self.cut();
    }
}

async fn carry(client: TcpStream, shared: &Shared) -> Result<(), TestError> {
    let server = shared
        .server
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let (mut from_server, mut to_server) = TcpStream::connect(server).await?.into_split();
    let (mut from_client, mut to_client) = client.into_split();
    let (clients_turn, turn) = (AtomicBool::new(true), AtomicU32::new(0));
    let up = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let n = from_client.read(&mut buffer).await?;
            if n == 0 {
                to_server.shutdown().await?;
                return Ok(());
            }
            if buffer[..n] != FAREWELL && clients_turn.swap(false, Ordering::SeqCst) {
                let now = shared.turns.fetch_add(1, Ordering::SeqCst) + 1;
                turn.store(now, Ordering::SeqCst);
                if shared.cuts(Cut::Before(now)) {
                    return Err(TestError::from("cut"));
                }
            }
            to_server.write_all(&buffer[..n]).await?;
        }
    };
    let down = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let n = from_server.read(&mut buffer).await?;
            if n == 0 {
                to_client.shutdown().await?;
                return Ok(());
            }
            if shared.cuts(Cut::Behind(turn.load(Ordering::SeqCst))) {
                return Err(TestError::from("cut"));
            }
            clients_turn.store(true, Ordering::SeqCst);
            to_client.write_all(&buffer[..n]).await?;
        }
    };
    tokio::try_join!(up, down)?;
    Ok(())
}
