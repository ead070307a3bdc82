//! A TCP proxy whose connections can be cut or paused.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Relays every connection to a server.
pub(crate) struct Proxy {
    port: u16,
    connections: Arc<Mutex<Vec<Connection>>>,
    paused: Arc<AtomicBool>,
}

struct Connection {
    client: TcpStream,
    server: TcpStream,
}

impl Proxy {
    /// Starts a proxy. It listens until the test program exits.
    pub(crate) fn in_front_of(server: SocketAddr) -> Result<Self, String> {
        let to_text = |error: std::io::Error| error.to_string();
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(to_text)?;
        let port = listener.local_addr().map_err(to_text)?.port();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let accepted = Arc::clone(&connections);
        let paused = Arc::new(AtomicBool::new(false));
        let is_paused = Arc::clone(&paused);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(server) else {
                    continue;
                };
                let directions = [(&client, &server), (&server, &client)]
                    .map(|(from, to)| Some((from.try_clone().ok()?, to.try_clone().ok()?)));
                for (from, to) in directions.into_iter().flatten() {
                    let is_paused = Arc::clone(&is_paused);
                    std::thread::spawn(move || relay(from, to, &is_paused));
                }
                active_connections(&accepted).push(Connection { client, server });
            }
        });
        Ok(Self {
            port,
            connections,
            paused,
        })
    }

    /// Returns the URL of the same database through the proxy.
    pub(crate) fn url(&self, url: &str) -> Result<String, String> {
        let server = server_address(url)?;
        Ok(url.replacen(&server.to_string(), &format!("127.0.0.1:{}", self.port), 1))
    }

    /// Closes all connections. New ones are relayed again.
    pub(crate) fn cut(&self) {
        for connection in active_connections(&self.connections).drain(..) {
            // This fails for a connection that was closed meanwhile.
            let _ = connection.client.shutdown(Shutdown::Both);
            let _ = connection.server.shutdown(Shutdown::Both);
        }
    }

    /// Stops relaying. Neither side is notified, and connections stay open.
    pub(crate) fn pause(&self) {
        self.paused.store(true, Ordering::SeqCst);
    }

    /// Relays again, first what arrived during the pause.
    pub(crate) fn resume(&self) {
        self.paused.store(false, Ordering::SeqCst);
    }
}

fn active_connections(connections: &Mutex<Vec<Connection>>) -> MutexGuard<'_, Vec<Connection>> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

fn relay(mut from: TcpStream, mut to: TcpStream, paused: &AtomicBool) {
    let mut bytes = [0; 16_384];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        while paused.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(10));
        }
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// Returns the address of the server that a URL names.
pub(crate) fn server_address(url: &str) -> Result<SocketAddr, String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.parse().map_err(|error| {
        format!("{host}: {error}; fault tests need a URL with an IP address and a port")
    })
}
