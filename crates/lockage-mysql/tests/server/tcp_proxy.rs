//! A TCP proxy that counts round trips, cuts connections, replaces text, or discards all data.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use lockage_testkit::TestError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// A proxy that ends, with all its connections, when it is dropped.
pub(crate) struct TcpProxy {
    port: u16,
    shared: Arc<Shared>,
    listener: AbortHandle,
}

#[derive(Default)]
struct Shared {
    /// How often a client sent something after the server did.
    requests: AtomicU32,
    connections: AtomicU32,
    cut: Mutex<Option<Cut>>,
    cut_connections: Notify,
    is_closed: AtomicBool,
    /// Whether new connections are accepted after a cut.
    reopens: AtomicBool,
    has_cut: AtomicBool,
    discards: AtomicBool,
    discard_after: Mutex<Option<&'static str>>,
    replacement: Mutex<Option<(&'static str, &'static str)>>,
}

/// When all connections are cut.
#[derive(Debug, Clone)]
pub(crate) enum Cut {
    /// Before the request with this number is forwarded.
    Before(u32),
    /// Before the reply to the request with this number is forwarded.
    After(u32),
    /// Before the reply to a request with this text is forwarded.
    AfterText(String),
}

impl TcpProxy {
    pub(crate) async fn start(server: &str) -> Result<Self, TestError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::<Shared>::default();
        let task = tokio::spawn(accept(listener, server.to_owned(), Arc::clone(&shared)));
        Ok(Self {
            port,
            shared,
            listener: task.abort_handle(),
        })
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Waits until all connections are closed. Returns how often clients sent a request, over all connections.
    pub(crate) async fn requests(&self) -> u32 {
        while self.shared.connections.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Returns whether connections were cut.
    pub(crate) fn has_cut(&self) -> bool {
        self.shared.has_cut.load(Ordering::SeqCst)
    }

    /// Cuts all connections at this moment, and rejects new ones after it.
    pub(crate) fn cut(&self, cut: Cut) {
        *self.shared.cut.lock().expect("not poisoned") = Some(cut);
    }

    /// Cuts all connections at this moment, and accepts new ones after it.
    pub(crate) fn cut_once(&self, cut: Cut) {
        self.shared.reopens.store(true, Ordering::SeqCst);
        self.cut(cut);
    }

    /// Cuts all connections now, and accepts new ones.
    pub(crate) fn cut_now(&self) {
        self.shared.reopens.store(true, Ordering::SeqCst);
        self.shared.cut_all();
    }

    /// Discards all data from now on, and keeps all connections open, as if a host vanished.
    pub(crate) fn blackhole(&self) {
        self.shared.discards.store(true, Ordering::SeqCst);
    }

    /// Discards all data after a request with this text was forwarded.
    pub(crate) fn blackhole_after(&self, text: &'static str) {
        *self.shared.discard_after.lock().expect("not poisoned") = Some(text);
    }

    /// Replaces a text in requests by another of the same length.
    pub(crate) fn replace(&self, text: &'static str, replacement: &'static str) {
        assert_eq!(text.len(), replacement.len());
        *self.shared.replacement.lock().expect("not poisoned") = Some((text, replacement));
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.listener.abort();
        self.shared.reopens.store(false, Ordering::SeqCst);
        self.shared.cut_all();
    }
}

impl Shared {
    fn cut_all(&self) {
        self.has_cut.store(true, Ordering::SeqCst);
        if self.reopens.load(Ordering::SeqCst) {
            *self.cut.lock().expect("not poisoned") = None;
        } else {
            self.is_closed.store(true, Ordering::SeqCst);
        }
        self.cut_connections.notify_waiters();
    }

    fn discards(&self) -> bool {
        self.discards.load(Ordering::SeqCst)
    }

    fn replace_in(&self, data: &mut [u8]) {
        let Some((text, replacement)) = *self.replacement.lock().expect("not poisoned") else {
            return;
        };
        while let Some(at) = find(data, text) {
            data[at..at + text.len()].copy_from_slice(replacement.as_bytes());
        }
    }

    fn discards_after(&self, data: &[u8]) -> bool {
        let text = *self.discard_after.lock().expect("not poisoned");
        text.is_some_and(|text| find(data, text).is_some())
    }

    /// Returns whether to cut before a request is forwarded.
    fn cuts_before(&self, request: u32) -> bool {
        matches!(&*self.cut.lock().expect("not poisoned"), Some(Cut::Before(at)) if request >= *at)
    }

    /// Returns whether to cut before the reply to a request is forwarded.
    fn cuts_after(&self, request: u32, data: &[u8]) -> bool {
        match &*self.cut.lock().expect("not poisoned") {
            Some(Cut::After(at)) => request >= *at,
            Some(Cut::AfterText(text)) => find(data, text).is_some(),
            Some(Cut::Before(_)) | None => false,
        }
    }
}

fn find(data: &[u8], text: &str) -> Option<usize> {
    data.windows(text.len())
        .position(|window| window == text.as_bytes())
}

async fn accept(listener: TcpListener, server: String, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        if shared.is_closed.load(Ordering::SeqCst) {
            continue;
        }
        let forwarding = forward(client, server.clone(), Arc::clone(&shared));
        let shared = Arc::clone(&shared);
        shared.connections.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            tokio::select! {
                _ = forwarding => {}
                () = shared.cut_connections.notified() => {}
            }
            shared.connections.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// What both directions of a connection share.
struct Connection {
    proxy: Arc<Shared>,
    /// Whether the server sent something since the client did.
    starts_request: AtomicBool,
    /// The number and the data of the last request.
    last_request: Mutex<(u32, Vec<u8>)>,
}

async fn forward(client: TcpStream, server: String, proxy: Arc<Shared>) -> Result<(), TestError> {
    let server = TcpStream::connect(server).await?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let (from_server, to_server) = server.into_split();
    let (from_client, to_client) = client.into_split();
    let connection = Connection {
        proxy,
        starts_request: AtomicBool::new(true),
        last_request: Mutex::default(),
    };
    tokio::try_join!(
        connection.forward_requests(from_client, to_server),
        connection.forward_replies(from_server, to_client)
    )?;
    Ok(())
}

impl Connection {
    async fn forward_requests(
        &self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
    ) -> std::io::Result<()> {
        let proxy = &self.proxy;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let n = from.read(&mut buffer).await?;
            if n == 0 {
                return to.shutdown().await;
            }
            let mut request = proxy.requests.load(Ordering::SeqCst);
            if self.starts_request.swap(false, Ordering::SeqCst) {
                request = proxy.requests.fetch_add(1, Ordering::SeqCst) + 1;
            }
            if proxy.discards() {
                continue;
            }
            if proxy.cuts_before(request) {
                proxy.cut_all();
                return Ok(());
            }
            *self.last_request.lock().expect("not poisoned") = (request, buffer[..n].to_vec());
            proxy.replace_in(&mut buffer[..n]);
            if proxy.discards_after(&buffer[..n]) {
                proxy.discards.store(true, Ordering::SeqCst);
            }
            to.write_all(&buffer[..n]).await?;
        }
    }

    async fn forward_replies(
        &self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
    ) -> std::io::Result<()> {
        let proxy = &self.proxy;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = from.read(&mut buffer).await;
            if proxy.discards() && !matches!(read, Ok(1..)) {
                // The client must not see that the server disconnected.
                std::future::pending::<()>().await;
            }
            let n = read?;
            if n == 0 {
                return to.shutdown().await;
            }
            self.starts_request.store(true, Ordering::SeqCst);
            let (request, data) = self.last_request.lock().expect("not poisoned").clone();
            if request > 0 && proxy.cuts_after(request, &data) {
                proxy.cut_all();
                return Ok(());
            }
            if !proxy.discards() {
                to.write_all(&buffer[..n]).await?;
            }
        }
    }
}
