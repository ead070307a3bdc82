//! A fake server that speaks SQL Server's protocol. It keeps locks, transactions and the history; a test sets the replies to
//! scripts.

mod packet;
mod parse_sql;
mod state;
mod token;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lockage_sqlserver::lockage_core::ConnectOptions;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::tds_framed::TdsFramed;
use packet::{ATTENTION, BATCH, LOGIN, PRELOGIN, read_message, write_message};
pub(crate) use state::{FakeState, Reply};
pub(crate) use token::{done, error, info, more, rows};

/// A server that runs until it is dropped.
pub(crate) struct FakeServer {
    address: SocketAddr,
    state: Arc<Mutex<FakeState>>,
    listener: tokio::task::JoinHandle<()>,
}

impl FakeServer {
    /// Starts a server without encryption.
    pub(crate) async fn start() -> Self {
        Self::listen(None).await
    }

    /// Starts a server that encrypts.
    pub(crate) async fn start_tls(acceptor: TlsAcceptor) -> Self {
        Self::listen(Some(acceptor)).await
    }

    async fn listen(acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<Mutex<FakeState>>::default();
        let listener = tokio::spawn({
            let state = Arc::clone(&state);
            async move {
                while let Ok((tcp, _)) = listener.accept().await {
                    let (state, acceptor) = (Arc::clone(&state), acceptor.clone());
                    // A client that disconnects ends its session with an error here, which is expected.
                    tokio::spawn(async move { accept_client(tcp, state, acceptor).await });
                }
            }
        });
        Self {
            address,
            state,
            listener,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, FakeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the options of a client.
    pub(crate) fn options(&self) -> ConnectOptions {
        let url = format!("sqlserver://app:secret@{}/shop?encrypt=false", self.address);
        ConnectOptions::new(url).unwrap()
    }

    /// Waits until a condition is true. `expected` describes it.
    pub(crate) async fn wait_until(
        &self,
        expected: &str,
        condition: impl Fn(&FakeState) -> bool + Send + Sync,
    ) {
        let waited = tokio::time::timeout(std::time::Duration::from_secs(60), async {
            while !condition(&self.state()) {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
        assert!(
            waited.await.is_ok(),
            "timed out while waiting for {expected}"
        );
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Negotiates encryption and serves the session.
async fn accept_client(
    mut tcp: TcpStream,
    state: Arc<Mutex<FakeState>>,
    acceptor: Option<TlsAcceptor>,
) -> std::io::Result<()> {
    let (kind, request) = read_message(&mut tcp).await?;
    assert_eq!(kind, PRELOGIN, "the first message");
    let encrypts = acceptor.is_some();
    write_message(&mut tcp, PRELOGIN, &packet::prelogin_reply(encrypts)).await?;
    let Some(acceptor) = acceptor else {
        return serve_session(tcp, state).await;
    };
    assert!(
        packet::requests_encryption(&request),
        "the client must request encryption"
    );
    let mut tls = acceptor.accept(TdsFramed::new(tcp)).await?;
    tls.get_mut().0.disable_framing();
    serve_session(tls, state).await
}

async fn serve_session(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    state: Arc<Mutex<FakeState>>,
) -> std::io::Result<()> {
    let state = || state.lock().unwrap_or_else(PoisonError::into_inner);
    let (kind, _) = read_message(&mut stream).await?;
    assert_eq!(kind, LOGIN, "the second message");
    let login_error = state().log_in();
    if let Some(error) = login_error {
        let tokens = [error, done(0x2)].concat();
        return write_message(&mut stream, packet::REPLY, &tokens).await;
    }
    write_message(&mut stream, packet::REPLY, &token::login_ack()).await?;
    let mut session = state().begin_session();
    loop {
        let (kind, body) = match read_message(&mut stream).await {
            Ok(message) => message,
            Err(error) => {
                state().end_session(&session);
                return Err(error);
            }
        };
        let reply = match kind {
            BATCH => {
                let text = packet::batch_text(&body);
                state().run_batch(&mut session, &text)
            }
            ATTENTION => {
                state().attentions += 1;
                Reply::Tokens(done(0x20))
            }
            other => panic!("a message of type {other:#x}"),
        };
        match reply {
            Reply::Tokens(tokens) => write_message(&mut stream, packet::REPLY, &tokens).await?,
            // The next message must be an attention.
            Reply::Silence => {}
            Reply::Disconnect => {
                state().end_session(&session);
                return Ok(());
            }
        }
    }
}
