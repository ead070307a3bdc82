//! Keeps an idle session alive that holds a lock, although the server ends idle sessions.

use std::time::Duration;

use tokio::task::JoinHandle;

use crate::shared_driver::SharedDriver;

/// A task that pings the server until it is dropped.
#[derive(Debug)]
pub(crate) struct KeepAlive(JoinHandle<()>);

impl KeepAlive {
    /// Starts the task for a session that the server ends when it is idle for `idle_timeout`.
    pub(crate) fn start(driver: &SharedDriver, idle_timeout: Duration) -> Self {
        Self(tokio::spawn(ping_loop(driver.clone(), idle_timeout / 4)))
    }
}

impl Drop for KeepAlive {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn ping_loop(shared: SharedDriver, interval: Duration) {
    let mut delay = interval;
    loop {
        tokio::time::sleep(delay).await;
        delay = interval;
        // A call that uses the connection ends the idle time by itself.
        let Some(mut guard) = shared.try_borrow() else {
            continue;
        };
        let Some(driver) = guard.as_mut() else { return };
        let idle = driver.last_use().elapsed();
        if idle < interval {
            delay = interval - idle;
        } else if driver.ping().await.is_err() {
            // The next call of the session reports the loss.
            return;
        }
    }
}
