//! A TCP proxy that counts round trips, cuts connections on request, and can redirect new connections to another server.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lockage_testkit::TestError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::test_database::TestDatabase;

/// The `Terminate` message of the protocol.
const TERMINATE_MESSAGE: [u8; 5] = [b'X', 0, 0, 0, 4];

/// When one connection is cut. Round trips are counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Before this request is passed on.
    Before(u32),
    /// Before the reply to this request is passed on.
    After(u32),
    /// Nothing is passed on from this request on, and the connection stays open.
    Stall(u32),
}

/// A proxy, which ends with all its connections when it is dropped.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    listener: AbortHandle,
}

struct Shared {
    server: Mutex<String>,
    round_trips: AtomicU32,
    cut: Mutex<Option<Cut>>,
    /// Cuts the open connections.
    cut_all: Notify,
}

impl Shared {
    /// Returns whether to cut the connection now. Returns true once.
    fn takes_cut(&self, now: Cut) -> bool {
        lock(&self.cut).take_if(|cut| *cut == now).is_some()
    }
}

impl Proxy {
    pub(crate) async fn start(server: &str) -> Result<Self, TestError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            server: Mutex::new(server.to_owned()),
            round_trips: AtomicU32::new(0),
            cut: Mutex::new(None),
            cut_all: Notify::new(),
        });
        let relayed = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&relayed);
                tokio::spawn(async move {
                    tokio::select! {
                        _ = relay(client, &shared) => {}
                        () = shared.cut_all.notified() => {}
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

    /// Returns the URL of a database through the proxy.
    pub(crate) fn url(&self, database: &TestDatabase) -> String {
        database.url_at(&format!("127.0.0.1:{}", self.port))
    }

    /// Returns the number of round trips over all connections: how often the client has sent something after a reply. `Terminate`
    /// does not count, because the client does not wait for a reply to it.
    pub(crate) fn round_trips(&self) -> u32 {
        self.shared.round_trips.load(Ordering::SeqCst)
    }

    /// Cuts one connection at a later round trip.
    pub(crate) fn cut_at(&self, cut: Cut) {
        *lock(&self.shared.cut) = Some(cut);
    }

    /// Returns whether that round trip has not happened yet.
    pub(crate) fn is_cut_pending(&self) -> bool {
        lock(&self.shared.cut).is_some()
    }

    /// Cuts all open connections.
    pub(crate) fn cut(&self) {
        self.shared.cut_all.notify_waiters();
    }

    /// Connects new clients to another server.
    pub(crate) fn redirect_to(&self, server: &str) {
        *lock(&self.shared.server) = server.to_owned();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
        self.cut();
    }
}

async fn relay(client: TcpStream, shared: &Shared) -> Result<(), TestError> {
    let server = lock(&shared.server).clone();
    let (mut from_server, mut to_server) = TcpStream::connect(server).await?.into_split();
    let (mut from_client, mut to_client) = client.into_split();
    let (awaits_request, current) = (AtomicBool::new(true), AtomicU32::new(0));
    let requests = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let n = from_client.read(&mut buffer).await?;
            if n == 0 {
                to_server.shutdown().await?;
                return Ok(());
            }
            if buffer[..n] != TERMINATE_MESSAGE && awaits_request.swap(false, Ordering::SeqCst) {
                let round_trip = shared.round_trips.fetch_add(1, Ordering::SeqCst) + 1;
                current.store(round_trip, Ordering::SeqCst);
                if shared.takes_cut(Cut::Before(round_trip)) {
                    return Err(TestError::from("cut"));
                }
                if shared.takes_cut(Cut::Stall(round_trip)) {
                    std::future::pending::<()>().await;
                }
            }
            to_server.write_all(&buffer[..n]).await?;
        }
    };
    let replies = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let n = from_server.read(&mut buffer).await?;
            if n == 0 {
                to_client.shutdown().await?;
                return Ok(());
            }
            if shared.takes_cut(Cut::After(current.load(Ordering::SeqCst))) {
                return Err(TestError::from("cut"));
            }
            awaits_request.store(true, Ordering::SeqCst);
            to_client.write_all(&buffer[..n]).await?;
        }
    };
    tokio::try_join!(requests, replies)?;
    Ok(())
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
