//! The way to a server: TCP, and TLS by rustls with ring, which the driver would bring only together with another library for it.
//!
//! So the first message of the protocol, by which encryption is agreed on, is ours, and the driver's own is answered here: it talks to a
//! server that encrypts nothing, over a stream that is encrypted already.

mod line;
mod prelogin;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tls")]
pub(crate) mod wrapped;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tiberius::SqlBrowser;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::address::{Address, Encrypt, PORT};
pub(crate) use line::Line;

/// A connection on which nothing comes is probed after this time, as often as this, so many times.
const KEEPALIVE: Duration = Duration::from_secs(5);
const PROBE_AGAIN: Duration = Duration::from_secs(2);
const PROBES: u32 = 3;

/// Why a server was not reached.
#[derive(Debug)]
pub(crate) enum Obstacle {
    /// The network, or the server's first words.
    Io(io::Error),
    /// No encryption that can be trusted.
    Tls(io::Error),
    /// The configuration, before anything was sent.
    Config(String),
    /// The driver.
    Driver(tiberius::error::Error),
}

impl From<io::Error> for Obstacle {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Goes to the server and agrees on encryption.
pub(crate) async fn reach(address: &Address) -> Result<(Stream, Line), Obstacle> {
    let tcp = dial(address).await?;
    tcp.set_nodelay(true)?;
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(PROBE_AGAIN)
        .with_retries(PROBES);
    socket2::SockRef::from(&tcp).set_tcp_keepalive(&keepalive)?;
    let line = Line::of(&tcp)?;
    let stream = match address.encrypt {
        Encrypt::Off => Stream::open(Way::Plain(tcp)),
        Encrypt::On | Encrypt::Strict => encrypted(address, tcp).await?,
    };
    Ok((stream, line))
}

async fn dial(address: &Address) -> Result<TcpStream, Obstacle> {
    match (&address.instance, address.port) {
        (Some(instance), None) => {
            let mut config = tiberius::Config::new();
            config.host(&address.host);
            config.instance_name(instance);
            TcpStream::connect_named(&config)
                .await
                .map_err(Obstacle::Driver)
        }
        (_, port) => {
            let host = (address.host.as_str(), port.unwrap_or(PORT));
            Ok(TcpStream::connect(host).await?)
        }
    }
}

#[cfg(feature = "tls")]
async fn encrypted(address: &Address, mut tcp: TcpStream) -> Result<Stream, Obstacle> {
    let config = tls::client(address)?;
    if address.encrypt == Encrypt::Strict {
        let mut way = Way::Tls(Box::new(tls::strict(address, config, tcp).await?));
        let answer = prelogin::exchange(&mut way, prelogin::NOT_NEEDED).await?;
        return Ok(Stream::after(way, answer));
    }
    let answer = prelogin::exchange(&mut tcp, prelogin::WANTED).await?;
    if !answer.encrypts() {
        return Err(Obstacle::Tls(io::Error::other(
            "the server does not encrypt",
        )));
    }
    let way = Way::Tls(Box::new(tls::within(address, config, tcp).await?));
    Ok(Stream::after(way, answer))
}

#[cfg(not(feature = "tls"))]
async fn encrypted(_: &Address, _: TcpStream) -> Result<Stream, Obstacle> {
    Err(Obstacle::Config(
        "this program is built without TLS: build it with the feature `tls` of lockage-sqlserver, or write encrypt=false".into(),
    ))
}

/// What carries the bytes.
#[derive(Debug)]
enum Way {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<tls::Encrypted>),
}

/// What the driver speaks into.
#[derive(Debug)]
pub(crate) struct Stream {
    way: Way,
    greeting: Greeting,
}

/// How far the driver's own first message has come, where ours went before it.
#[derive(Debug)]
enum Greeting {
    /// It is being taken from the driver; then it is answered with this.
    Swallowing {
        taken: Vec<u8>,
        answer: Vec<u8>,
    },
    /// What is left of the answer.
    Answering(Vec<u8>),
    Over,
}

impl Stream {
    fn open(way: Way) -> Self {
        let greeting = Greeting::Over;
        Self { way, greeting }
    }

    #[cfg(feature = "tls")]
    fn after(way: Way, answer: prelogin::Answer) -> Self {
        let greeting = Greeting::Swallowing {
            taken: Vec::new(),
            answer: answer.without_encryption(),
        };
        Self { way, greeting }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Greeting::Answering(answer) = &mut this.greeting {
            let length = answer.len().min(buf.remaining());
            buf.put_slice(&answer[..length]);
            answer.drain(..length);
            if answer.is_empty() {
                this.greeting = Greeting::Over;
            }
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.way).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Greeting::Swallowing { taken, answer } = &mut this.greeting {
            let missing = prelogin::missing(taken);
            let length = missing.min(bytes.len());
            taken.extend_from_slice(&bytes[..length]);
            if prelogin::missing(taken) == 0 {
                this.greeting = Greeting::Answering(std::mem::take(answer));
            }
            return Poll::Ready(Ok(length));
        }
        Pin::new(&mut this.way).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().way).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().way).poll_shutdown(cx)
    }
}

impl AsyncRead for Way {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Way {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => {
                // The server may be gone: the farewell is a courtesy.
                let _ = ready!(Pin::new(tls).poll_shutdown(cx));
                Poll::Ready(Ok(()))
            }
        }
    }
}
