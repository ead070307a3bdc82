//! Detects that the server closed a connection.

use std::io;

use futures_util::FutureExt;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// A second handle on the socket of a connection. The socket stays open until both handles are dropped.
#[derive(Debug)]
pub(crate) struct SocketProbe(TcpStream);

impl SocketProbe {
    pub(super) fn new(tcp: &TcpStream) -> io::Result<Self> {
        let duplicate: std::net::TcpStream = socket2::SockRef::from(tcp).try_clone()?.into();
        TcpStream::from_std(duplicate).map(Self)
    }

    /// Returns whether the server closed its side, even if received bytes have not been read yet.
    pub(crate) fn is_closed(&self) -> bool {
        match self.0.ready(Interest::READABLE).now_or_never() {
            Some(Ok(ready)) => ready.is_read_closed(),
            Some(Err(_)) => true,
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn server_disconnect_is_detected_despite_unread_bytes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let probe = SocketProbe::new(&tcp).unwrap();
        assert!(!probe.is_closed());
        server.write_all(b"last message").await.unwrap();
        tcp.readable().await.unwrap();
        assert!(!probe.is_closed());
        drop(server);
        let deadline = Instant::now() + Duration::from_secs(60);
        while !probe.is_closed() {
            assert!(
                Instant::now() < deadline,
                "the closed connection was not detected"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
