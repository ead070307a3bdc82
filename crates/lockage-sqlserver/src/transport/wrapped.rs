//! TLS's handshake travels in packets of the protocol; what comes after it does not.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The type of the packets.
const PACKET: u8 = 0x12;

/// What stands before the bytes in each.
const HEADER: usize = 8;

/// How much fits into one, by every server's default.
const LONGEST: usize = 4096 - HEADER;

/// A stream whose bytes travel in packets until [`unwrap`](Self::unwrap).
#[derive(Debug)]
pub(crate) struct Wrapped<S> {
    inner: S,
    wrapping: bool,
    /// What waits to be packed.
    unpacked: Vec<u8>,
    /// What is packed and waits to be sent.
    packed: Vec<u8>,
    header: [u8; HEADER],
    /// How much of a header has been read.
    read: usize,
    /// How much of a packet is still to be read.
    left: usize,
}

impl<S> Wrapped<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self {
            inner,
            wrapping: true,
            unpacked: Vec::new(),
            packed: Vec::new(),
            header: [0; HEADER],
            read: 0,
            left: 0,
        }
    }

    /// From now on the bytes travel as they are.
    pub(crate) fn unwrap(&mut self) {
        self.wrapping = false;
    }

    fn pack(&mut self) {
        let bytes = std::mem::take(&mut self.unpacked);
        let mut parts = bytes.chunks(LONGEST).peekable();
        while let Some(part) = parts.next() {
            let length = u16::try_from(HEADER + part.len()).unwrap_or(u16::MAX);
            let last = u8::from(parts.peek().is_none());
            self.packed.extend_from_slice(&[PACKET, last]);
            self.packed.extend_from_slice(&length.to_be_bytes());
            self.packed.extend_from_slice(&[0; 4]);
            self.packed.extend_from_slice(part);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wrapped<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.wrapping && this.left == 0 {
            return Pin::new(&mut this.inner).poll_read(cx, buf);
        }
        while this.left == 0 {
            let mut header = ReadBuf::new(&mut this.header[this.read..]);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut header))?;
            let read = header.filled().len();
            if read == 0 {
                return Poll::Ready(Ok(()));
            }
            this.read += read;
            if this.read == HEADER {
                let length = u16::from_be_bytes([this.header[2], this.header[3]]);
                this.left = usize::from(length).saturating_sub(HEADER);
                this.read = 0;
            }
        }
        let length = this.left.min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(length));
        ready!(Pin::new(&mut this.inner).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        buf.advance(read);
        this.left -= read;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wrapped<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.wrapping {
            this.unpacked.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut this.inner).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.pack();
        while !this.packed.is_empty() {
            let written = ready!(Pin::new(&mut this.inner).poll_write(cx, &this.packed))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            this.packed.drain(..written);
        }
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
