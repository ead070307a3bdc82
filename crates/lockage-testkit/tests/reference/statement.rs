//! Runs one statement of a script, with the time limits of its migration.

use std::time::Duration;

use lockage_core::{Error, ErrorKind, Location, LockKey, Result, Status, Step};

use super::script::{self, Command};
use super::session::{ReferenceSession, wait_until_exists};
use super::store::{Change, Content, session_lost};
use super::{Fault, marker};

/// A step that is being applied.
pub(crate) struct ScriptRun<'a> {
    pub(crate) step: &'a Step,
    pub(crate) key: &'a LockKey,
    pub(crate) text: String,
}

impl ScriptRun<'_> {
    pub(crate) fn statements(&self) -> Vec<(u32, &str)> {
        script::statements(&self.text).collect()
    }

    fn error(&self, line: u32, message: impl Into<String>) -> Error {
        Error::new(ErrorKind::MigrationFailed, message).with_location(Location::at(
            self.step.migration.file(),
            line,
            1,
        ))
    }
}

impl ReferenceSession {
    /// Runs one statement on a copy of the database and returns its change.
    pub(super) async fn run(
        &self,
        work: &ScriptRun<'_>,
        (line, statement): (u32, &str),
        content: &mut Content,
    ) -> Result<Option<Change>> {
        tokio::task::yield_now().await;
        self.ensure_alive()?;
        let change = match script::parse(statement, work.step.migration.file(), line)? {
            Command::Change(change) => change,
            Command::InsertSetting(table) => {
                Change::Insert(table, i64::from(self.state().setting_changed))
            }
            Command::ChangeSetting => {
                self.state().setting_changed = true;
                return Ok(None);
            }
            Command::CreateTemporary(table) => {
                return if self.state().temporary_tables.insert(table) {
                    Ok(None)
                } else {
                    Err(work.error(line, "the temporary table exists"))
                };
            }
            Command::ReleaseLocks => {
                drop(self.release_all());
                return Ok(None);
            }
            Command::Barrier(barrier) => {
                return self.wait_at_barrier(work, line, &barrier).await;
            }
        };
        if let Change::Insert(table, _) = &change {
            if self.state().temporary_tables.contains(table) {
                return Ok(None);
            }
            self.wait_for_table(work, line, table).await?;
        }
        match content.apply(&change) {
            Ok(()) => Ok(Some(change)),
            Err(why) => Err(work.error(line, why)),
        }
    }

    async fn wait_at_barrier(
        &self,
        work: &ScriptRun<'_>,
        line: u32,
        barrier: &str,
    ) -> Result<Option<Change>> {
        let closed = marker::closed(&self.folder, barrier);
        if closed.exists() {
            std::fs::write(marker::reached(&self.folder, barrier), "")
                .map_err(|error| session_lost(&error))?;
        }
        let terminated = marker::terminated(&self.folder, &self.id);
        let timeout = work.step.migration.directives().statement_timeout;
        let timeout = match timeout.or(self.options.statement_timeout) {
            Some(timeout) if !self.has(Fault::IgnoresStatementTimeout) => timeout,
            _ => Duration::MAX,
        };
        tokio::select! {
            () = wait_until_exists(&closed, false) => Ok(None),
            () = wait_until_exists(&terminated, true) => {
                Err(Error::new(ErrorKind::SessionLost, "the session was terminated"))
            }
            () = self.cancel.0.notified() => Err(work.error(line, "cancelled")),
            () = tokio::time::sleep(timeout) => Err(work.error(line, "the statement timed out")),
        }
    }

    /// Waits while another session has locked a table. Fails with a temporary error after the timeout for locks of tables.
    async fn wait_for_table(&self, work: &ScriptRun<'_>, line: u32, table: &str) -> Result<()> {
        let timeout = work.step.migration.directives().ddl_lock_timeout;
        let timeout = match timeout.or(self.options.ddl_lock_timeout) {
            Some(timeout) if !self.has(Fault::IgnoresDdlLockTimeout) => timeout,
            _ => Duration::MAX,
        };
        let marker = marker::locked(&self.folder, table);
        tokio::time::timeout(timeout, wait_until_exists(&marker, false))
            .await
            .map_err(|_| {
                work.error(line, format!("the table {table} is locked"))
                    .with_status(Status::Temporary)
            })
    }
}
