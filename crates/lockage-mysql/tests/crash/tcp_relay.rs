//! A TCP relay: one address for a server that restarts at another.

use std::sync::{Arc, Mutex};

use lockage_testkit::TestError;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// A relay that ends when it is dropped.
pub(crate) struct TcpRelay {
    address: String,
    server: Arc<Mutex<Option<String>>>,
    listener: AbortHandle,
}

impl TcpRelay {
    pub(crate) async fn start() -> Result<Self, TestError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let server = Arc::<Mutex<Option<String>>>::default();
        let target = Arc::clone(&server);
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let target = target.lock().expect("not poisoned").clone();
                let Some(target) = target else { continue };
                tokio::spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(target).await {
                        // Ends when either side disconnects.
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        Ok(Self {
            address,
            server,
            listener: task.abort_handle(),
        })
    }

    /// Connects new clients to the server of a URL, or closes their connections. Returns the URL through the relay.
    pub(crate) fn connect_to(&self, url: Option<&str>) -> String {
        let host = url.and_then(|url| url.rsplit_once('@')?.1.split('/').next());
        *self.server.lock().expect("not poisoned") = host.map(str::to_owned);
        let (url, host) = (url.unwrap_or_default(), host.unwrap_or_default());
        format!("{}?ssl-mode=disabled", url.replace(host, &self.address))
    }
}

impl Drop for TcpRelay {
    fn drop(&mut self) {
        self.listener.abort();
    }
}
