//! A way to a server that can be cut.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Forwards every connection to a server.
pub(crate) struct Proxy {
    port: u16,
    /// Both ends of each connection: of the client, of the server.
    lines: Arc<Mutex<Vec<(TcpStream, TcpStream)>>>,
}

impl Proxy {
    pub(crate) fn before(server: SocketAddr) -> Result<Self, String> {
        let told = |error: std::io::Error| error.to_string();
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(told)?;
        let port = listener.local_addr().map_err(told)?.port();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        // It ends with the process: nobody connects to a proxy that is dropped.
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(upstream) = TcpStream::connect(server) else {
                    continue;
                };
                let copies = [(&client, &upstream), (&upstream, &client)]
                    .map(|(from, to)| Some((from.try_clone().ok()?, to.try_clone().ok()?)));
                for (from, to) in copies.into_iter().flatten() {
                    std::thread::spawn(move || forward(from, to));
                }
                held(&kept).push((client, upstream));
            }
        });
        Ok(Self { port, lines })
    }

    /// The same URL, through the proxy.
    pub(crate) fn url(&self, url: &str) -> Result<String, String> {
        let server = address(url)?;
        Ok(url.replacen(&server.to_string(), &format!("127.0.0.1:{}", self.port), 1))
    }

    /// Ends every connection that stands.
    pub(crate) fn cut(&self) {
        for (client, upstream) in held(&self.lines).drain(..) {
            // Whoever has gone by now needs no cut.
            let _ = client.shutdown(Shutdown::Both);
            let _ = upstream.shutdown(Shutdown::Both);
        }
    }
}

fn held(lines: &Mutex<Vec<(TcpStream, TcpStream)>>) -> MutexGuard<'_, Vec<(TcpStream, TcpStream)>> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

fn forward(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 16_384];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// Where the server of a URL listens.
pub(crate) fn address(url: &str) -> Result<SocketAddr, String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.parse()
        .map_err(|error| format!("{host}: {error}; faults need a server at an address with a port"))
}
