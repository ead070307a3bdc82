use std::io;

use futures_util::FutureExt;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// The same connection once more, to see whether the server hung up while nobody reads. The connection stays open as long as this does.
#[derive(Debug)]
pub(crate) struct Line(TcpStream);

impl Line {
    pub(crate) fn of(tcp: &TcpStream) -> io::Result<Self> {
        let again: std::net::TcpStream = socket2::SockRef::from(tcp).try_clone()?.into();
        TcpStream::from_std(again).map(Self)
    }

    /// Whether nothing can come any more, be there something left to read or not.
    pub(crate) fn is_cut(&self) -> bool {
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
    async fn a_server_that_hangs_up_is_noticed_behind_what_nobody_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let line = Line::of(&tcp).unwrap();
        assert!(!line.is_cut());
        server.write_all(b"a last word").await.unwrap();
        tcp.readable().await.unwrap();
        assert!(!line.is_cut());
        drop(server);
        let deadline = Instant::now() + Duration::from_secs(60);
        while !line.is_cut() {
            assert!(
                Instant::now() < deadline,
                "the end of the connection is not noticed"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
