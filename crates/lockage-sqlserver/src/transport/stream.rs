//! The stream that the driver uses. It answers the driver's first message where the client has already sent its own.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::prelogin;
#[cfg(feature = "tls")]
use super::tls::EncryptedStream;

/// The connection below the driver.
#[derive(Debug)]
pub(super) enum TransportStream {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<EncryptedStream>),
}

/// The stream that the driver reads and writes.
#[derive(Debug)]
pub(crate) struct Stream {
    transport: TransportStream,
    shim: PreloginShim,
}

/// Replies to the driver's first message instead of the server, which has already received one.
#[derive(Debug)]
enum PreloginShim {
    /// The driver is writing its message.
    #[cfg_attr(
        not(feature = "tls"),
        expect(dead_code, reason = "only TLS sends a prelogin before the driver")
    )]
    Absorbing { absorbed: Vec<u8>, reply: Vec<u8> },
    /// The driver is reading the reply; this is the rest of it.
    Replying(Vec<u8>),
    /// All bytes go to the server.
    Done,
}

impl Stream {
    /// Creates a stream that leaves the first message to the driver.
    pub(super) fn new(transport: TransportStream) -> Self {
        let shim = PreloginShim::Done;
        Self { transport, shim }
    }

    /// Creates a stream on which the first message was already sent. The driver receives the server's reply to it, without
    /// encryption.
    #[cfg(feature = "tls")]
    pub(super) fn with_prelogin(
        transport: TransportStream,
        reply: prelogin::PreloginReply,
    ) -> Self {
        let shim = PreloginShim::Absorbing {
            absorbed: Vec::new(),
            reply: reply.without_encryption(),
        };
        Self { transport, shim }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let PreloginShim::Replying(reply) = &mut this.shim {
            let length = reply.len().min(buf.remaining());
            buf.put_slice(&reply[..length]);
            reply.drain(..length);
            if reply.is_empty() {
                this.shim = PreloginShim::Done;
            }
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.transport).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let PreloginShim::Absorbing { absorbed, reply } = &mut this.shim {
            let missing = prelogin::missing_bytes(absorbed);
            let length = missing.min(bytes.len());
            absorbed.extend_from_slice(&bytes[..length]);
            if prelogin::missing_bytes(absorbed) == 0 {
                this.shim = PreloginShim::Replying(std::mem::take(reply));
            }
            return Poll::Ready(Ok(length));
        }
        Pin::new(&mut this.transport).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_shutdown(cx)
    }
}

impl AsyncRead for TransportStream {
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

impl AsyncWrite for TransportStream {
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
                // The server may have closed the connection: an error here does not matter.
                let _ = std::task::ready!(Pin::new(tls).poll_shutdown(cx));
                Poll::Ready(Ok(()))
            }
        }
    }
}
