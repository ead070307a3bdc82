//! A TCP proxy that counts how often the client speaks, cuts the line at a given word, or goes silent.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use lockage_testkit::Failure;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// Ends when dropped, and every line with it.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    listener: AbortHandle,
}

#[derive(Default)]
struct Shared {
    turns: AtomicU32,
    lines: AtomicU32,
    cut: Mutex<Option<Cut>>,
    lines_cut: Notify,
    is_cut: AtomicBool,
    /// Whether it carries new lines behind a cut, and whether it has cut.
    heals: AtomicBool,
    has_cut: AtomicBool,
    silent: AtomicBool,
    silent_behind: Mutex<Option<&'static str>>,
    swapped: Mutex<Option<(&'static str, &'static str)>>,
}

/// When all lines are cut.
#[derive(Debug, Clone)]
pub(crate) enum Cut {
    /// When the client speaks for so many times, in place of passing it on.
    Before(u32),
    /// When the server has answered what the client said at so many times, in place of passing it on.
    Behind(u32),
    /// When the server has answered to something with this text in it.
    BehindText(String),
}

impl Proxy {
    pub(crate) async fn start(server: &str) -> Result<Self, Failure> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::<Shared>::default();
        let (server, counter) = (server.to_owned(), Arc::clone(&shared));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if counter.is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                let carried = carry(client, server.clone(), Arc::clone(&counter));
                let shared = Arc::clone(&counter);
                shared.lines.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    tokio::select! {
                        _ = carried => {}
                        () = shared.lines_cut.notified() => {}
                    }
                    shared.lines.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Ok(Self {
            port,
            shared,
            listener: task.abort_handle(),
        })
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// How often the client has sent something since the server last did, over all connections, once they are all closed.
    pub(crate) async fn turns(&self) -> u32 {
        while self.shared.lines.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        self.shared.turns.load(Ordering::SeqCst)
    }

    /// Whether it has cut.
    pub(crate) fn has_cut(&self) -> bool {
        self.shared.has_cut.load(Ordering::SeqCst)
    }

    /// Cuts once, and carries what comes then.
    pub(crate) fn cut_once(&self, cut: Cut) {
        self.shared.heals.store(true, Ordering::SeqCst);
        self.cut(cut);
    }

    /// Cuts the lines that there are, and carries what comes then.
    pub(crate) fn cut_now(&self) {
        self.shared.heals.store(true, Ordering::SeqCst);
        self.shared.cut_all();
    }

    pub(crate) fn cut(&self, cut: Cut) {
        *self.shared.cut.lock().expect("nobody panics in here") = Some(cut);
    }

    /// Passes nothing on from now on, and keeps every line: as when a host vanishes.
    pub(crate) fn go_silent(&self) {
        self.shared.silent.store(true, Ordering::SeqCst);
    }

    /// Goes silent when the server has been told something with this text in it.
    pub(crate) fn go_silent_behind(&self, text: &'static str) {
        *self
            .shared
            .silent_behind
            .lock()
            .expect("nobody panics in here") = Some(text);
    }

    /// Passes one text on in place of another of the same length.
    pub(crate) fn swap(&self, text: &'static str, for_it: &'static str) {
        assert_eq!(text.len(), for_it.len());
        *self.shared.swapped.lock().expect("nobody panics in here") = Some((text, for_it));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
        self.shared.heals.store(false, Ordering::SeqCst);
        self.shared.cut_all();
    }
}

impl Shared {
    fn cut_all(&self) {
        self.has_cut.store(true, Ordering::SeqCst);
        if self.heals.load(Ordering::SeqCst) {
            *self.cut.lock().expect("nobody panics in here") = None;
        } else {
            self.is_cut.store(true, Ordering::SeqCst);
        }
        self.lines_cut.notify_waiters();
    }

    fn swap_in(&self, said: &mut [u8]) {
        let Some((text, for_it)) = *self.swapped.lock().expect("nobody panics in here") else {
            return;
        };
        while let Some(at) = find(said, text) {
            said[at..at + text.len()].copy_from_slice(for_it.as_bytes());
        }
    }

    fn falls_silent_behind(&self, said: &[u8]) -> bool {
        let text = *self.silent_behind.lock().expect("nobody panics in here");
        text.is_some_and(|text| find(said, text).is_some())
    }

    /// Whether to cut here.
    fn matches(&self, behind: bool, turn: u32, said: &[u8]) -> bool {
        let text = |text: &str| find(said, text).is_some();
        match &*self.cut.lock().expect("nobody panics in here") {
            None => false,
            Some(Cut::Before(at)) => !behind && turn >= *at,
            Some(Cut::Behind(at)) => behind && turn >= *at,
            Some(Cut::BehindText(word)) => behind && text(word),
        }
    }
}

fn find(said: &[u8], text: &str) -> Option<usize> {
    said.windows(text.len())
        .position(|window| window == text.as_bytes())
}

async fn carry(client: TcpStream, server: String, shared: Arc<Shared>) -> Result<(), Failure> {
    let server = TcpStream::connect(server).await?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let (mut from_server, mut to_server) = server.into_split();
    let (mut from_client, mut to_client) = client.into_split();
    let clients_turn = Arc::new(AtomicBool::new(true));
    let last_said = Arc::new(Mutex::new((0_u32, Vec::new())));
    let (seen, heard) = (Arc::clone(&clients_turn), Arc::clone(&last_said));
    let (going_up, going_down) = (Arc::clone(&shared), shared);
    let up = async move {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let n = from_client.read(&mut buffer).await?;
            if n == 0 {
                return to_server.shutdown().await;
            }
            let mut turn = going_up.turns.load(Ordering::SeqCst);
            if clients_turn.swap(false, Ordering::SeqCst) {
                turn = going_up.turns.fetch_add(1, Ordering::SeqCst) + 1;
            }
            if going_up.silent.load(Ordering::SeqCst) {
                continue;
            }
            if going_up.matches(false, turn, &buffer[..n]) {
                going_up.cut_all();
                return Ok(());
            }
            *last_said.lock().expect("nobody panics in here") = (turn, buffer[..n].to_vec());
            going_up.swap_in(&mut buffer[..n]);
            if going_up.falls_silent_behind(&buffer[..n]) {
                going_up.silent.store(true, Ordering::SeqCst);
            }
            to_server.write_all(&buffer[..n]).await?;
        }
    };
    let down = async move {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = from_server.read(&mut buffer).await;
            if going_down.silent.load(Ordering::SeqCst) && !matches!(read, Ok(1..)) {
                // Nobody is told that the server has hung up.
                std::future::pending::<()>().await;
            }
            let n = read?;
            if n == 0 {
                return to_client.shutdown().await;
            }
            seen.store(true, Ordering::SeqCst);
            let (turn, said) = heard.lock().expect("nobody panics in here").clone();
            if turn > 0 && going_down.matches(true, turn, &said) {
                going_down.cut_all();
                return Ok(());
            }
            if !going_down.silent.load(Ordering::SeqCst) {
                to_client.write_all(&buffer[..n]).await?;
            }
        }
    };
    tokio::try_join!(up, down)?;
    Ok(())
}
