use tokio::task::JoinHandle;

use super::BEAT;
use crate::connection::{Connection, Piece};

/// Renews a lease on a connection of its own, until it is dropped or the lock is somebody else's.
#[derive(Debug)]
pub(super) struct Heart(JoinHandle<()>);

impl Heart {
    /// `beat` renews the lease; `is_held` is the condition that it is still ours.
    pub(super) fn start(connection: Box<dyn Connection>, beat: String, is_held: String) -> Self {
        let is_held = format!("SELECT CASE WHEN {is_held} THEN 1 ELSE 0 END");
        Self(tokio::spawn(live(connection, beat, is_held)))
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn live(mut connection: Box<dyn Connection>, beat: String, is_held: String) {
    loop {
        tokio::time::sleep(BEAT).await;
        let beaten = connection
            .run(&[Piece::own(beat.as_str())], &mut |_| {})
            .await;
        match beaten {
            Ok(()) => {
                let held = connection.query(&is_held).await;
                let ours = held.as_ref().is_ok_and(|rows| {
                    rows.first()
                        .and_then(|row| row.first())
                        .is_none_or(|held| held.as_deref() == Some("1"))
                });
                if held.is_ok() && !ours {
                    // The holder finds out by itself, before its next write.
                    return;
                }
            }
            // A deadlock or the like: the next beat tries again.
            Err(failure) if failure.error.kind() != lockage_core::ErrorKind::SessionLost => {}
            Err(_) => {
                if let Ok(another) = connection.another().await {
                    connection = another;
                }
            }
        }
    }
}
