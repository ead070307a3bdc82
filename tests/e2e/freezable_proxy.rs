//! A TCP proxy that can stop relaying while its connections stay open.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) struct FreezableProxy {
    url: String,
    paused: Arc<AtomicBool>,
}

impl FreezableProxy {
    /// Starts a proxy to the server that a URL names. It listens until the test program exits.
    pub(crate) fn to(url: &str) -> Result<Self, String> {
        let to_text = |error: std::io::Error| error.to_string();
        let start = url
            .find('@')
            .or_else(|| url.find("//").map(|at| at + 1))
            .ok_or("no host in the URL")?
            + 1;
        let end = url[start..]
            .find(['/', '?'])
            .map_or(url.len(), |length| start + length);
        let server = url[start..end].to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").map_err(to_text)?;
        let port = listener.local_addr().map_err(to_text)?.port();
        let paused = Arc::new(AtomicBool::new(false));
        let is_paused = Arc::clone(&paused);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&server) else {
                    continue;
                };
                relay(&client, &server, &is_paused);
                relay(&server, &client, &is_paused);
            }
        });
        Ok(Self {
            url: format!("{}127.0.0.1:{port}{}", &url[..start], &url[end..]),
            paused,
        })
    }

    /// Returns the URL of the database through the proxy.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Stops relaying. Neither side is notified.
    pub(crate) fn pause(&self) {
        self.paused.store(true, Ordering::SeqCst);
    }
}

fn relay(from: &TcpStream, to: &TcpStream, paused: &Arc<AtomicBool>) {
    let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else {
        return;
    };
    let paused = Arc::clone(paused);
    std::thread::spawn(move || {
        let mut bytes = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            while paused.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(20));
            }
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
