//! A server that speaks SQL Server's protocol and remembers who holds which lock, which transaction is open and what the history says. What
//! scripts get for an answer, the test says.

mod packet;
mod statement;
mod token;
mod world;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lockage_sqlserver::lockage_core::ConnectOptions;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::wrapped::Wrapped;
use packet::{ATTENTION, BATCH, LOGIN, PRELOGIN, read, write};
pub(crate) use token::{done, error, info, more, rows};
pub(crate) use world::{Reply, World};

/// A server that lives as long as this.
pub(crate) struct Server {
    address: SocketAddr,
    world: Arc<Mutex<World>>,
    listening: tokio::task::JoinHandle<()>,
}

impl Server {
    /// A server that encrypts nothing.
    pub(crate) async fn start() -> Self {
        Self::listen(None).await
    }

    /// A server that encrypts.
    pub(crate) async fn encrypting(acceptor: TlsAcceptor) -> Self {
        Self::listen(Some(acceptor)).await
    }

    async fn listen(acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let world = Arc::<Mutex<World>>::default();
        let listening = tokio::spawn({
            let world = Arc::clone(&world);
            async move {
                while let Ok((tcp, _)) = listener.accept().await {
                    let (world, acceptor) = (Arc::clone(&world), acceptor.clone());
                    // A client that goes away ends its session with an error here, which is nobody's concern.
                    tokio::spawn(async move { greet(tcp, world, acceptor).await });
                }
            }
        });
        Self {
            address,
            world,
            listening,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The options of a client.
    pub(crate) fn options(&self) -> ConnectOptions {
        let url = format!("sqlserver://app:secret@{}/shop?encrypt=false", self.address);
        ConnectOptions::new(url).unwrap()
    }

    /// Returns once something is so.
    pub(crate) async fn until(&self, what: &str, is: impl Fn(&World) -> bool + Send + Sync) {
        let waited = tokio::time::timeout(std::time::Duration::from_secs(60), async {
            while !is(&self.world()) {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
        assert!(waited.await.is_ok(), "waited in vain for {what}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Agrees on encryption.
async fn greet(
    mut tcp: TcpStream,
    world: Arc<Mutex<World>>,
    acceptor: Option<TlsAcceptor>,
) -> std::io::Result<()> {
    let (kind, asked) = read(&mut tcp).await?;
    assert_eq!(kind, PRELOGIN, "the first message");
    let encrypts = acceptor.is_some();
    write(&mut tcp, PRELOGIN, &packet::prelogin_answer(encrypts)).await?;
    let Some(acceptor) = acceptor else {
        return serve(tcp, world).await;
    };
    assert!(
        packet::wants_encryption(&asked),
        "the client is to ask for encryption"
    );
    let mut tls = acceptor.accept(Wrapped::new(tcp)).await?;
    tls.get_mut().0.unwrap();
    serve(tls, world).await
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    world: Arc<Mutex<World>>,
) -> std::io::Result<()> {
    let world = || world.lock().unwrap_or_else(PoisonError::into_inner);
    let (kind, _) = read(&mut stream).await?;
    assert_eq!(kind, LOGIN, "the second message");
    let refused = world().log_in();
    if let Some(refusal) = refused {
        let tokens = [refusal, done(0x2)].concat();
        return write(&mut stream, packet::ANSWER, &tokens).await;
    }
    write(&mut stream, packet::ANSWER, &token::logged_in()).await?;
    let mut session = world().begin_session();
    loop {
        let (kind, body) = match read(&mut stream).await {
            Ok(message) => message,
            Err(error) => {
                world().end_session(&session);
                return Err(error);
            }
        };
        let reply = match kind {
            BATCH => {
                let text = packet::text_of_batch(&body);
                world().hear(&mut session, &text)
            }
            ATTENTION => {
                world().attentions += 1;
                Reply::Tokens(done(0x20))
            }
            other => panic!("a message of type {other:#x}"),
        };
        match reply {
            Reply::Tokens(tokens) => write(&mut stream, packet::ANSWER, &tokens).await?,
            // The next message is to be an attention.
            Reply::Silence => {}
            Reply::HangUp => {
                world().end_session(&session);
                return Ok(());
            }
        }
    }
}
