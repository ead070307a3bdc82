//! Which session of the server is ours, for a lock that stands in a table: it tells others whom to look for.

use std::time::Duration;

use lockage_core::{Error, ErrorKind, Result};
use tokio::time::Instant;

use crate::connection::PostgresConnection;
use crate::dialect::{literal, time_text};
use crate::pooler::Way;
use crate::settings;

/// How long a session may take to end that was told to.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// True on a server that only follows another.
pub(crate) const STANDBY: &str = "pg_catalog.pg_is_in_recovery()";

/// Judges what [`STANDBY`] came to.
///
/// # Errors
/// Where nothing could be written. A standby may be about to take the place of its primary, so the call may be made again.
pub(crate) fn refuse_standby(answer: Option<&str>) -> Result<()> {
    if answer != Some("t") {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Connect,
        "the server is a standby, on which nothing can be written",
    )
    .with_hint("connect to the primary; of several hosts in the URL, target_session_attrs=read-write finds it")
    .with_status(Status::Temporary))
}

/// A session of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) pid: i32,
    /// When it began; processes' numbers come again.
    begun: String,
}

impl Standing {
    /// True, in another session, while this one stands.
    pub(crate) fn condition(&self) -> String {
        format!(
            "EXISTS (SELECT 1 FROM pg_catalog.pg_stat_activity WHERE pid = {} AND (backend_start IS NULL OR {} = {}))",
            self.pid,
            time_text("backend_start"),
            literal(&self.begun)
        )
    }
}

impl PostgresConnection {
    /// Finds out which session is ours; none behind a pooler that shares them. Sets what lets the server notice that we are gone.
    pub(crate) async fn take_stand(&mut self) -> Result<()> {
        if self.is_leased {
            return Ok(());
        }
        let look = format!(
            "SELECT pid, {}, {STANDBY} FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()",
            time_text("backend_start")
        );
        let row = self.link.query(&look).await?.into_iter().next();
        let mut columns = row.into_iter().flatten();
        let mut next = || columns.next().flatten();
        let standing = next()
            .and_then(|pid| pid.parse().ok())
            .zip(next())
            .map(|(pid, begun)| Standing { pid, begun });
        refuse_standby(next().as_deref())?;
        let told = match self.way {
            Way::Unknown => self.find_way().await?,
            way => way,
        };
        if let Way::Direct(pid) = told
            && standing.as_ref().is_none_or(|ours| ours.pid != pid)
        {
            self.look_behind_pooler().await?;
        }
        if self.way != Way::Shared {
            self.link.query(&settings::set(&self.settings)).await?;
            self.is_set = true;
            self.standing = standing;
        } else if let Some(schema) = &self.schema {
            self.search_path = self.value(&settings::path_to(schema)).await?;
        }
        self.is_leased = true;
        Ok(())
    }

    /// Ends the session of a holder whose lease ran out; `false` when it stands all the same.
    pub(crate) async fn end_standing(
        &mut self,
        session: &str,
        since: Option<&str>,
    ) -> Result<bool> {
        let Ok(pid) = session.parse::<i32>() else {
            return Ok(true);
        };
        let since = since.map_or_else(
            || "true".to_owned(),
            |since| {
                format!(
                    "(backend_start IS NULL OR backend_start <= {})",
                    literal(since)
                )
            },
        );
        let from = format!(
            "FROM pg_catalog.pg_stat_activity WHERE pid = {pid} AND datname = pg_catalog.current_database() AND {since}"
        );
        // Without the right to, it is waited for.
        let _ = self
            .link
            .query(&format!(
                "SELECT pg_catalog.pg_terminate_backend(pid) {from}"
            ))
            .await;
        let given_up = Instant::now() + PATIENCE;
        loop {
            if self
                .link
                .query(&format!("SELECT 1 {from}"))
                .await?
                .is_empty()
            {
                return Ok(true);
            }
            if Instant::now() > given_up {
                return Ok(false);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}
