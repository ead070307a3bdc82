//! Restores a session to its state at the start, between two migrations, while its locks stay held.

use std::time::Duration;

use lockage_core::{Error, ErrorKind, Result, Status};

use crate::connection::MysqlConnection;
use crate::disconnect;
use crate::driver::DriverConnection;
use crate::lock::{HandoverError, hand_over};
use crate::server_info::{self, ServerInfo};
use crate::session_settings::{WSREP_SYNC_WAIT, idle_timeout, session_defaults};

/// How long all steps together may take.
const RESET_TIMEOUT: Duration = Duration::from_secs(60);

/// After this idle time the server ends the relay session, so that its locks become free if this client vanishes.
const RELAY_IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// A second session of this client, which holds the locks while the first is reset.
struct Relay {
    driver: DriverConnection,
    server: ServerInfo,
}

impl MysqlConnection {
    /// Restores the session: settings, variables, temporary tables, prepared statements. Its locks stay held by this client.
    ///
    /// # Errors
    /// [`ErrorKind::LockLost`] if another session acquired a lock; [`ErrorKind::SessionLost`].
    pub(crate) async fn restore_session(&mut self) -> Result<()> {
        match tokio::time::timeout(RESET_TIMEOUT, self.reset_with_locks()).await {
            Ok(result) => result,
            Err(_) => Err(Error::new(
                ErrorKind::SessionLost,
                format!("the server did not reset the session within {RESET_TIMEOUT:?}"),
            )),
        }
    }

    async fn reset_with_locks(&mut self) -> Result<()> {
        let names = self.native_locks.clone();
        if names.is_empty() {
            let reset = self.reset_now().await;
            return self.with_classified_loss(reset).await;
        }
        let mut relay = self.open_relay().await?;
        let handed = {
            let mut driver = self.driver.borrow().await?;
            hand_over(
                &mut driver,
                &mut relay.driver,
                relay.server.connection,
                &names,
            )
            .await
        };
        if let Err(error) = handed {
            return Err(self.handover_error(error, &relay, true).await);
        }
        let reset = self.reset_now().await;
        self.with_classified_loss(reset).await?;
        let handed = {
            let mut driver = self.driver.borrow().await?;
            hand_over(
                &mut relay.driver,
                &mut driver,
                self.server.connection,
                &names,
            )
            .await
        };
        if let Err(error) = handed {
            return Err(self.handover_error(error, &relay, false).await);
        }
        let _ = relay.driver.close().await;
        Ok(())
    }

    /// Resets the session, which releases its locks, and sets it up again.
    async fn reset_now(&mut self) -> Result<()> {
        let mut driver = self.driver.borrow().await?;
        if !driver.reset_session().await? {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the server cannot reset a session (COM_RESET_CONNECTION), which is necessary between these migrations",
            )
            .with_hint("apply the migrations one by one: lockage up --steps 1"));
        }
        let mut sql = session_defaults();
        if self.idle_timeout.is_some() {
            sql += "; ";
            sql += &idle_timeout(self.idle_timeout);
        }
        driver.run(&sql).await?;
        if self.server.clustered {
            driver.execute(WSREP_SYNC_WAIT).await?;
        }
        Ok(())
    }

    async fn open_relay(&self) -> Result<Relay> {
        let mut driver = self.connector.reopen().await?;
        let sql = format!(
            "{}; {}; SELECT CONNECTION_ID()",
            idle_timeout(Some(RELAY_IDLE_TIMEOUT)),
            server_info::SERVER_ID_QUERY
        );
        let sets = driver.run(&sql).await.map_err(|failed| {
            let error = Error::from(failed);
            match error.kind() {
                ErrorKind::SessionLost => error.with_status(Status::ConnectionLost),
                _ => error,
            }
        })?;
        let (variables, id) = match &sets[..] {
            [.., variables, id] => (variables, id),
            _ => (&Vec::new(), &Vec::new()),
        };
        let id = id
            .first()
            .and_then(|row| row.first()?.as_deref()?.parse().ok());
        match id {
            Some(connection) if server_info::server_id(variables) == self.server.server_id => {
                let mut server = self.server.clone();
                server.connection = connection;
                Ok(Relay { driver, server })
            }
            _ => Err(Error::new(
                ErrorKind::Unsupported,
                "another server answers at the address of the session, so the lock cannot be held while the session is reset",
            )
            .with_hint(
                "connect to the server itself, or apply the migrations one by one: lockage up --steps 1",
            )),
        }
    }

    /// `to_relay`: the relay was to own the locks.
    async fn handover_error(&self, error: HandoverError, relay: &Relay, to_relay: bool) -> Error {
        match error {
            HandoverError::Lost(error) => error,
            HandoverError::Owner(error) if to_relay => self.classify_loss(error).await,
            HandoverError::Next(error) if !to_relay => self.classify_loss(error).await,
            HandoverError::Owner(error) | HandoverError::Next(error) => {
                disconnect::classify(&self.connector, &relay.server, false, error).await
            }
        }
    }
}
