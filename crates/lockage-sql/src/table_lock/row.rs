//! The table `lockage_lock`: one row for each lock.

use std::fmt::Write;
use std::time::Duration;

use lockage_core::{Error, ErrorKind, LockKey, Result};
use sha2::{Digest, Sha256};

use crate::command::{AssertionError, Command, Row};
use crate::dialect::{Clock, Dialect};

/// The name of the table.
pub const TABLE: &str = "lockage_lock";

/// How long a lease lasts without renewal.
pub(super) const LEASE_DURATION: Duration = Duration::from_secs(15);

/// Writes the SQL of one lock's row.
#[derive(Debug, Clone)]
pub(super) struct LockRow {
    dialect: &'static Dialect,
    table: String,
    key: LockKey,
    name: String,
}

/// The row at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowSnapshot {
    /// Identifies one acquisition of the lock; empty while the lock is free.
    pub(super) token: String,
    /// Increases with every renewal.
    pub(super) beat: i64,
    /// `user@host pid`.
    pub(super) holder: String,
    /// The server's identifier of the holder's session; empty if unknown.
    pub(super) session: String,
    /// When the lock was acquired.
    pub(super) since: Option<String>,
    /// The remaining time of the lease by the server's clock; zero or negative after it expired.
    pub(super) lease_ms: i64,
}

impl RowSnapshot {
    pub(super) fn is_free(&self) -> bool {
        self.token.is_empty()
    }

    /// Returns whether the lock was neither renewed nor acquired since an earlier snapshot.
    pub(super) fn is_unchanged(&self, earlier: &Self) -> bool {
        (&self.token, self.beat) == (&earlier.token, earlier.beat)
    }

    /// Returns whether a holder has a lease that has not expired.
    pub(super) fn is_leased(&self) -> bool {
        !self.is_free() && self.lease_ms > 0
    }
}

impl LockRow {
    pub(super) fn new(dialect: &'static Dialect, schema: Option<&str>, key: &LockKey) -> Self {
        Self {
            dialect,
            table: dialect.table(schema, TABLE),
            key: key.clone(),
            name: row_name(key),
        }
    }

    pub(super) fn key(&self) -> &LockKey {
        &self.key
    }

    pub(super) fn create_table_sql(&self) -> String {
        let Dialect {
            text_type,
            integer_type,
            clock: Clock { time_type, .. },
            ..
        } = *self.dialect;
        let columns = format!(
            "name {short} NOT NULL PRIMARY KEY, label {long} NOT NULL, token {short} NOT NULL, \
             fence {integer_type} NOT NULL, beat {integer_type} NOT NULL, holder {long} NOT NULL, session {short} NOT NULL, \
             taken_at {time_type}, lease_until {integer_type} NOT NULL",
            short = text_type(64),
            long = text_type(250),
        );
        (self.dialect.create_table)(&self.table, &columns)
    }

    /// Returns the SQL that inserts the row of a free lock. It fails if the row exists.
    pub(super) fn insert_sql(&self) -> String {
        let literal = self.dialect.literal;
        format!(
            "INSERT INTO {} (name, label, token, fence, beat, holder, session, lease_until) VALUES ({}, {}, '', 0, 0, '', '', 0)",
            self.table,
            literal(&self.name),
            literal(&self.key.to_string()),
        )
    }

    /// Returns the query for a snapshot; see [`parse`].
    pub(super) fn select_sql(&self) -> String {
        format!(
            "SELECT token, beat, holder, session, {}, lease_until - {} FROM {} WHERE {}",
            (self.dialect.clock.to_text)("taken_at"),
            self.dialect.clock.now_ms,
            self.table,
            self.key_sql(),
        )
    }

    /// Returns the query with which an operator sees the row.
    pub(super) fn operator_sql(&self) -> String {
        format!("SELECT * FROM {} WHERE {}", self.table, self.key_sql())
    }

    /// Returns the SQL that acquires the lock if the row is still as in the snapshot `seen`.
    pub(super) fn acquire_sql(
        &self,
        token: &str,
        seen: &RowSnapshot,
        holder: &str,
        session: &str,
    ) -> String {
        let literal = self.dialect.literal;
        format!(
            "UPDATE {} SET token = {}, fence = fence + 1, beat = 0, holder = {}, session = {}, taken_at = {}, \
             lease_until = {} WHERE {} AND token = {} AND beat = {}",
            self.table,
            literal(token),
            literal(holder),
            literal(session),
            self.dialect.clock.now,
            self.lease_end_sql(),
            self.key_sql(),
            literal(&seen.token),
            seen.beat,
        )
    }

    /// Returns the SQL that renews the lease.
    pub(super) fn renew_sql(&self, token: &str) -> String {
        format!(
            "UPDATE {} SET beat = beat + 1, lease_until = {} WHERE {}",
            self.table,
            self.lease_end_sql(),
            self.owned_by_sql(token)
        )
    }

    /// Returns the SQL that releases the lock.
    pub(super) fn release_sql(&self, token: &str) -> String {
        format!(
            "UPDATE {} SET token = '', beat = 0, lease_until = 0 WHERE {}",
            self.table,
            self.owned_by_sql(token)
        )
    }

    /// Returns a condition that is true while the lock is held with this token.
    pub(super) fn held_sql(&self, token: &str) -> String {
        format!(
            "EXISTS (SELECT 1 FROM {} WHERE {})",
            self.table,
            self.owned_by_sql(token)
        )
    }

    /// Returns the same condition on the newest version of the row, which it locks until the transaction ends.
    pub(super) fn held_for_update_sql(&self, token: &str) -> String {
        format!(
            "EXISTS (SELECT 1 FROM {} WHERE {}{})",
            self.table,
            self.owned_by_sql(token),
            self.dialect.for_update
        )
    }

    /// Returns the last commands of a transaction that only the holder may commit.
    ///
    /// They write the row, and do not only read it: on a cluster, the write makes the commit fail if another node granted the
    /// lock to another session.
    pub(super) fn fencing_check(&self, token: &str) -> [Command<'static>; 2] {
        [
            Command::internal(self.renew_sql(token)),
            Command::Assert(
                self.held_for_update_sql(token),
                AssertionError::lock_lost(&self.key),
            ),
        ]
    }

    fn lease_end_sql(&self) -> String {
        format!(
            "{} + {}",
            self.dialect.clock.now_ms,
            LEASE_DURATION.as_millis()
        )
    }

    fn key_sql(&self) -> String {
        format!("name = {}", (self.dialect.literal)(&self.name))
    }

    fn owned_by_sql(&self, token: &str) -> String {
        format!(
            "{} AND token = {}",
            self.key_sql(),
            (self.dialect.literal)(token)
        )
    }
}

/// Parses the row of [`LockRow::select_sql`].
pub(super) fn parse(row: Row) -> Result<RowSnapshot> {
    let parse_columns = |row: Row| {
        let [token, beat, holder, session, since, lease_ms] =
            <[Option<String>; 6]>::try_from(row).ok()?;
        Some(RowSnapshot {
            token: token?,
            beat: beat?.parse().ok()?,
            holder: holder?,
            session: session?,
            since,
            lease_ms: lease_ms?.parse().ok()?,
        })
    };
    parse_columns(row)
        .ok_or_else(|| Error::new(ErrorKind::Unexpected, format!("invalid row in {TABLE}")))
}

/// Returns the name of a key's row: an id in decimal; for a name, `=` and the first 32 hexadecimal digits of its SHA-256,
/// because engines disagree on which texts are equal.
///
/// The names are a contract between versions and must not change.
fn row_name(key: &LockKey) -> String {
    match (key.as_id(), key.as_name()) {
        (Some(id), _) => id.to_string(),
        (None, name) => {
            let digest = Sha256::digest(name.unwrap_or_default());
            digest[..16].iter().fold("=".to_owned(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_names_are_stable() {
        assert_eq!(row_name(&LockKey::default()), "4006");
        assert_eq!(row_name(&LockKey::id(-1)), "-1");
        // printf orders | sha256sum
        assert_eq!(
            row_name(&LockKey::named("orders").unwrap()),
            "=1c168adb00d208e42f93314529f1fa9c"
        );
    }
}
