//! The process that the server named when the connection began. The driver keeps it to itself and writes it into requests to cancel, so
//! one is written here, to nobody.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio_postgres::CancelToken;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// A request to cancel ends with the process and its secret, four bytes each.
const TAIL: usize = 8;

/// The process of the connection. Behind a pooler, which makes up its own, it is not the one that `pg_backend_pid()` tells.
pub(crate) async fn backend_pid(token: &CancelToken) -> Option<i32> {
    let (mut server, client) = duplex(64);
    let answer = async {
        // Yes to the question for TLS. Where it is not asked, the other side may be gone already.
        let _ = server.write_all(b"S").await;
        let mut written = Vec::new();
        server.read_to_end(&mut written).await?;
        io::Result::Ok(written)
    };
    let (asked, written) = tokio::join!(token.cancel_query_raw(client, Plain), answer);
    asked.ok()?;
    let written = written.ok()?;
    let tail = written.get(written.len().checked_sub(TAIL)?..)?;
    Some(i32::from_be_bytes(tail[..4].try_into().ok()?))
}

/// Encryption that is none.
struct Plain;

impl TlsConnect<DuplexStream> for Plain {
    type Stream = PlainStream;
    type Error = Infallible;
    type Future = Ready<Result<PlainStream, Infallible>>;

    fn connect(self, stream: DuplexStream) -> Self::Future {
        ready(Ok(PlainStream(stream)))
    }
}

struct PlainStream(DuplexStream);

impl TlsStream for PlainStream {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for PlainStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for PlainStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
