//! A way to a server that can be frozen: what was sent on it then never arrives.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) struct Way {
    url: String,
    frozen: Arc<AtomicBool>,
}

impl Way {
    /// A way to the server of a URL.
    pub(crate) fn to(url: &str) -> Result<Self, String> {
        let told = |error: std::io::Error| error.to_string();
        let start = url
            .find('@')
            .or_else(|| url.find("//").map(|at| at + 1))
            .ok_or("no host in the URL")?
            + 1;
        let end = url[start..]
            .find(['/', '?'])
            .map_or(url.len(), |length| start + length);
        let server = url[start..end].to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").map_err(told)?;
        let port = listener.local_addr().map_err(told)?.port();
        let frozen = Arc::new(AtomicBool::new(false));
        let is_frozen = Arc::clone(&frozen);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&server) else {
                    continue;
                };
                carry(&client, &server, &is_frozen);
                carry(&server, &client, &is_frozen);
            }
        });
        Ok(Self {
            url: format!("{}127.0.0.1:{port}{}", &url[..start], &url[end..]),
            frozen,
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// From now on nothing arrives, and nobody is told.
    pub(crate) fn freeze(&self) {
        self.frozen.store(true, Ordering::SeqCst);
    }
}

fn carry(from: &TcpStream, to: &TcpStream, frozen: &Arc<AtomicBool>) {
    let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else {
        return;
    };
    let frozen = Arc::clone(frozen);
    std::thread::spawn(move || {
        let mut bytes = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            while frozen.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(20));
            }
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Both);
    });
}
