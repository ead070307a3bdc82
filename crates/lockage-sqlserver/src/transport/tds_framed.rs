//! Frames the TLS handshake in packets of the protocol. The bytes after the handshake are not framed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The packet type.
const PACKET_TYPE: u8 = 0x12;

/// The length of a packet's header.
const HEADER_LEN: usize = 8;

/// The maximum length of a packet's body with the default packet size of every server.
const MAX_BODY_LEN: usize = 4096 - HEADER_LEN;

/// A stream whose bytes travel in packets until [`disable_framing`](Self::disable_framing).
#[derive(Debug)]
pub(crate) struct TdsFramed<S> {
    inner: S,
    is_framing: bool,
    /// Written bytes that have not been framed.
    unframed: Vec<u8>,
    /// Packets that have not been sent.
    framed: Vec<u8>,
    header: [u8; HEADER_LEN],
    /// The number of header bytes that have been read.
    header_read: usize,
    /// The number of body bytes of the current packet that have not been read.
    body_left: usize,
}

impl<S> TdsFramed<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self {
            inner,
            is_framing: true,
            unframed: Vec::new(),
            framed: Vec::new(),
            header: [0; HEADER_LEN],
            header_read: 0,
            body_left: 0,
        }
    }

    /// Sends and receives all later bytes without packets.
    pub(crate) fn disable_framing(&mut self) {
        self.is_framing = false;
    }

    fn frame(&mut self) {
        let bytes = std::mem::take(&mut self.unframed);
        let mut parts = bytes.chunks(MAX_BODY_LEN).peekable();
        while let Some(part) = parts.next() {
            let length = u16::try_from(HEADER_LEN + part.len()).unwrap_or(u16::MAX);
            let last = u8::from(parts.peek().is_none());
            self.framed.extend_from_slice(&[PACKET_TYPE, last]);
            self.framed.extend_from_slice(&length.to_be_bytes());
            self.framed.extend_from_slice(&[0; 4]);
            self.framed.extend_from_slice(part);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TdsFramed<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.is_framing && this.body_left == 0 {
            return Pin::new(&mut this.inner).poll_read(cx, buf);
        }
        while this.body_left == 0 {
            let mut header = ReadBuf::new(&mut this.header[this.header_read..]);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut header))?;
            let read = header.filled().len();
            if read == 0 {
                return Poll::Ready(Ok(()));
            }
            this.header_read += read;
            if this.header_read == HEADER_LEN {
                let length = u16::from_be_bytes([this.header[2], this.header[3]]);
                this.body_left = usize::from(length).saturating_sub(HEADER_LEN);
                this.header_read = 0;
            }
        }
        let length = this.body_left.min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(length));
        ready!(Pin::new(&mut this.inner).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        buf.advance(read);
        this.body_left -= read;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TdsFramed<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_framing {
            this.unframed.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut this.inner).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.frame();
        while !this.framed.is_empty() {
            let written = ready!(Pin::new(&mut this.inner).poll_write(cx, &this.framed))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            this.framed.drain(..written);
        }
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
