//! The lock: a row that is inserted and never committed.

use lockage_core::{LockHolder, LockKey};
use lockage_sql::{client_host, single_quoted};
use rsfbclient_core::{FbError, TrLockResolution, TrOp};
use sha2::{Digest, Sha256};

use crate::attachment::Attachment;
use crate::dialect::DIALECT;
use crate::error::is_conflict;

/// The table of the rows. Other transactions never see one.
const TABLE: &str = "lockage_lock";

/// Returns the name of a lock: an id in decimal, or a part of a name's hash, because names of session variables are short.
/// Frozen: all builds must derive the same name.
pub(crate) fn lock_name(key: &LockKey) -> String {
    if let Some(id) = key.as_id() {
        return id.to_string();
    }
    let hash = Sha256::digest(key.to_string());
    let hex: String = hash
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("n-{hex}")
}

/// Returns the session variable that describes the holder of a lock.
fn holder_variable(name: &str) -> String {
    format!("LOCKAGE_LOCK {name}")
}

impl Attachment {
    pub(crate) fn try_lock(&mut self, name: &str) -> Result<bool, FbError> {
        if self.locks.contains_key(name) {
            return self.holds(name);
        }
        if !self.table_exists()? && !self.create_table()? {
            return Ok(false);
        }
        let transaction = self.begin(TrLockResolution::NoWait)?;
        let insert = format!("INSERT INTO \"{TABLE}\" (lock_key) VALUES ('{name}')");
        if let Err(error) = self.execute_in(transaction, &insert) {
            let is_busy = is_conflict(&error);
            if matches!(error, FbError::Sql { .. }) {
                self.end(transaction, TrOp::Rollback)?;
            }
            return if is_busy { Ok(false) } else { Err(error) };
        }
        self.locks.insert(name.to_owned(), transaction);
        let since = (DIALECT.clock.to_text)(DIALECT.clock.now);
        let process = format!(" {} {}", std::process::id(), client_host());
        let value = format!("{since} || {}", single_quoted(&process));
        self.set_session_variable(&holder_variable(name), &value)?;
        Ok(true)
    }

    /// Checks the row in the transaction that holds the lock: no other transaction sees it.
    pub(crate) fn holds(&mut self, name: &str) -> Result<bool, FbError> {
        let Some(&transaction) = self.locks.get(name) else {
            return Ok(false);
        };
        let sql = format!("SELECT 1 FROM \"{TABLE}\" WHERE lock_key = '{name}'");
        self.query_in(transaction, &sql)
            .map(|rows| !rows.is_empty())
    }

    /// Releases the lock. Returns `false` if this session did not hold it.
    pub(crate) fn unlock(&mut self, name: &str) -> Result<bool, FbError> {
        let Some(transaction) = self.locks.remove(name) else {
            return Ok(false);
        };
        self.set_session_variable(&holder_variable(name), "NULL")?;
        self.end(transaction, TrOp::Rollback)?;
        Ok(true)
    }

    /// Finds the session whose variable describes it as the holder. Only the same user and the database's owner see it.
    pub(crate) fn holder(&mut self, name: &str) -> Result<Option<LockHolder>, FbError> {
        let sql = format!(
            "SELECT a.MON$ATTACHMENT_ID, TRIM(a.MON$USER), v.MON$VARIABLE_VALUE FROM MON$CONTEXT_VARIABLES v \
             JOIN MON$ATTACHMENTS a ON a.MON$ATTACHMENT_ID = v.MON$ATTACHMENT_ID WHERE v.MON$VARIABLE_NAME = '{}'",
            holder_variable(name)
        );
        let Some(row) = self.query(&sql)?.into_iter().next() else {
            return Ok(None);
        };
        let mut columns = row.into_iter();
        let mut next = || columns.next().flatten();
        let mut holder = LockHolder::default();
        (holder.session, holder.user) = (next(), next());
        let description = next().unwrap_or_default();
        let mut words = description.splitn(3, ' ').map(str::to_owned);
        holder.since = words.next();
        holder.application = words.next().map(|process| format!("process {process}"));
        holder.host = words.next();
        Ok(Some(holder))
    }

    fn table_exists(&mut self) -> Result<bool, FbError> {
        let sql = format!("SELECT 1 FROM RDB$RELATIONS WHERE RDB$RELATION_NAME = '{TABLE}'");
        self.query(&sql).map(|rows| !rows.is_empty())
    }

    /// Creates the table. Returns `false` if another session creates it at the same time and has not finished.
    fn create_table(&mut self) -> Result<bool, FbError> {
        let columns = "lock_key VARCHAR(40) NOT NULL PRIMARY KEY";
        let sql = (DIALECT.create_table)(&(DIALECT.identifier)(TABLE), columns);
        match self.autocommit(|this, transaction| this.execute_in(transaction, &sql)) {
            Ok(()) => Ok(true),
            Err(_) if self.table_exists()? => Ok(true),
            Err(error) if is_conflict(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
