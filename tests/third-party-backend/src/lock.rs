//! The lock: a row that is written and never committed.

use lockage_core::{LockHolder, LockKey};
use lockage_sql::{client_host, single_quoted};
use rsfbclient_core::{FbError, TrLockResolution, TrOp};
use sha2::{Digest, Sha256};

use crate::attachment::Attachment;
use crate::dialect::DIALECT;
use crate::error::is_conflict;

/// The table of the rows. Nobody ever sees one.
pub(crate) const TABLE: &str = "lockage_lock";

/// What a key is called in the table: an id in decimal, a name by its hash, since a session's variables have short names. Frozen.
pub(crate) fn name(key: &LockKey) -> String {
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

fn variable(name: &str) -> String {
    format!("LOCKAGE_LOCK {name}")
}

impl Attachment {
    pub(crate) fn try_lock(&mut self, name: &str) -> Result<bool, FbError> {
        if self.locks.contains_key(name) {
            return self.holds_lock(name);
        }
        if !self.has_table()? {
            // Two may make it at once, and one of them fails; whoever looks again sees it.
            let columns = "lock_key VARCHAR(40) NOT NULL PRIMARY KEY";
            let make = (DIALECT.create_table)(&(DIALECT.identifier)(TABLE), columns);
            let made = self.alone(|this, transaction| this.statement(transaction, &make));
            if made.is_err() && !self.has_table()? {
                return match made {
                    Err(error) if !is_conflict(&error) => Err(error),
                    _ => Ok(false),
                };
            }
        }
        let transaction = self.begin(TrLockResolution::NoWait)?;
        let insert = format!("INSERT INTO \"{TABLE}\" (lock_key) VALUES ('{name}')");
        if let Err(error) = self.statement(transaction, &insert) {
            let refused = is_conflict(&error);
            if matches!(error, FbError::Sql { .. }) {
                self.end(transaction, TrOp::Rollback)?;
            }
            return if refused { Ok(false) } else { Err(error) };
        }
        self.locks.insert(name.to_owned(), transaction);
        let note = format!("{} {}", std::process::id(), client_host());
        let since = (DIALECT.time_text)(DIALECT.now);
        let note = single_quoted(&format!(" {note}"));
        self.set(&variable(name), &format!("{since} || {note}"))?;
        Ok(true)
    }

    /// Asks in the transaction that is the lock, the only one that sees the row.
    pub(crate) fn holds_lock(&mut self, name: &str) -> Result<bool, FbError> {
        let Some(&transaction) = self.locks.get(name) else {
            return Ok(false);
        };
        let look = format!("SELECT 1 FROM \"{TABLE}\" WHERE lock_key = '{name}'");
        self.rows(transaction, &look).map(|rows| !rows.is_empty())
    }

    /// `false`: this session did not hold it.
    pub(crate) fn unlock(&mut self, name: &str) -> Result<bool, FbError> {
        let Some(transaction) = self.locks.remove(name) else {
            return Ok(false);
        };
        self.set(&variable(name), "NULL")?;
        self.end(transaction, TrOp::Rollback)?;
        Ok(true)
    }

    /// A holder leaves a variable in its session, which those may see who are the same user or the database's owner.
    pub(crate) fn holder(&mut self, name: &str) -> Result<Option<LockHolder>, FbError> {
        let look = format!(
            "SELECT a.MON$ATTACHMENT_ID, TRIM(a.MON$USER), v.MON$VARIABLE_VALUE FROM MON$CONTEXT_VARIABLES v \
             JOIN MON$ATTACHMENTS a ON a.MON$ATTACHMENT_ID = v.MON$ATTACHMENT_ID WHERE v.MON$VARIABLE_NAME = '{}'",
            variable(name)
        );
        let Some(row) = self.query(&look)?.into_iter().next() else {
            return Ok(None);
        };
        let mut columns = row.into_iter();
        let mut next = || columns.next().flatten();
        let mut holder = LockHolder::default();
        (holder.session, holder.user) = (next(), next());
        let note = next().unwrap_or_default();
        let mut words = note.splitn(3, ' ').map(str::to_owned);
        holder.since = words.next();
        holder.application = words.next().map(|process| format!("process {process}"));
        holder.host = words.next();
        Ok(Some(holder))
    }

    fn has_table(&mut self) -> Result<bool, FbError> {
        let look = format!("SELECT 1 FROM RDB$RELATIONS WHERE RDB$RELATION_NAME = '{TABLE}'");
        self.query(&look).map(|rows| !rows.is_empty())
    }
}
