use std::sync::{Arc, Mutex};

use lockage_testkit::Failure;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// One address for a server that comes back at another.
pub(crate) struct Relay {
    address: String,
    server: Arc<Mutex<Option<String>>>,
    task: AbortHandle,
}

impl Relay {
    pub(crate) async fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let server = Arc::<Mutex<Option<String>>>::default();
        let to = Arc::clone(&server);
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let to = to.lock().expect("nobody panics in here").clone();
                let Some(to) = to else { continue };
                tokio::spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(to).await {
                        // It ends with either side.
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        Ok(Self {
            address,
            server,
            task: task.abort_handle(),
        })
    }

    /// Leads to the server of a URL, or nowhere, and returns the URL by which it is reached.
    pub(crate) fn lead_to(&self, url: Option<&str>) -> String {
        let host = url.and_then(|url| url.rsplit_once('@')?.1.split('/').next());
        *self.server.lock().expect("nobody panics in here") = host.map(str::to_owned);
        let (url, host) = (url.unwrap_or_default(), host.unwrap_or_default());
        format!("{}?ssl-mode=disabled", url.replace(host, &self.address))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}
