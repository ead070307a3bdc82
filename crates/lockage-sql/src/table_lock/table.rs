//! The table `lockage_lock`: a row a lock.

use std::fmt::Write;

use lockage_core::{Error, ErrorKind, LockKey, Result};
use sha2::{Digest, Sha256};

use super::LEASE;
use crate::connection::{Command, AssertionError};
use crate::{Dialect, Row};

/// The name of the table.
pub const TABLE: &str = "lockage_lock";

/// Writes the statements of one lock's row.
#[derive(Debug, Clone)]
pub(super) struct LockRow {
    dialect: &'static Dialect,
    table: String,
    key: LockKey,
    name: String,
}

/// What a look at the row shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sight {
    /// Names one holding of the lock; empty while nobody holds it.
    pub(super) token: String,
    /// Grows with every sign of life.
    pub(super) beat: i64,
    pub(super) holder: String,
    pub(super) session: String,
    pub(super) since: Option<String>,
    /// What is left of the lease, by the server's clock; not positive when it has run out.
    pub(super) lease_ms: i64,
}

impl Sight {
    pub(super) fn is_free(&self) -> bool {
        self.token.is_empty()
    }

    /// Whether nothing happened since an earlier look.
    pub(super) fn is_still(&self, earlier: &Self) -> bool {
        (&self.token, self.beat) == (&earlier.token, earlier.beat)
    }

    pub(super) fn is_alive(&self) -> bool {
        !self.is_free() && self.lease_ms > 0
    }
}

impl LockRow {
    pub(super) fn new(dialect: &'static Dialect, schema: Option<&str>, key: &LockKey) -> Self {
        Self {
            dialect,
            table: dialect.table(schema, TABLE),
            key: key.clone(),
            name: name_of(key),
        }
    }

    pub(super) fn key(&self) -> &LockKey {
        &self.key
    }

    /// Two nodes may do it at once.
    pub(super) fn create_table(&self) -> String {
        let Dialect {
            text_type,
            integer_type,
            time_type,
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

    /// The row of a lock that nobody ever took. Fails where it exists.
    pub(super) fn insert(&self) -> String {
        let literal = self.dialect.literal;
        format!(
            "INSERT INTO {} (name, label, token, fence, beat, holder, session, lease_until) VALUES ({}, {}, '', 0, 0, '', '', 0)",
            self.table,
            literal(&self.name),
            literal(&self.key.to_string()),
        )
    }

    pub(super) fn look(&self) -> String {
        format!(
            "SELECT token, beat, holder, session, {}, lease_until - {} FROM {} WHERE {}",
            (self.dialect.time_text)("taken_at"),
            self.dialect.clock_ms,
            self.table,
            self.is(),
        )
    }

    /// What an operator asks.
    pub(super) fn by_hand(&self) -> String {
        format!("SELECT * FROM {} WHERE {}", self.table, self.is())
    }

    /// Takes the lock from whoever was last seen with it, and from nobody else.
    pub(super) fn take(&self, token: &str, seen: &Sight, holder: &str, session: &str) -> String {
        let literal = self.dialect.literal;
        format!(
            "UPDATE {} SET token = {}, fence = fence + 1, beat = 0, holder = {}, session = {}, taken_at = {}, \
             lease_until = {} WHERE {} AND token = {} AND beat = {}",
            self.table,
            literal(token),
            literal(holder),
            literal(session),
            self.dialect.now,
            self.lease(),
            self.is(),
            literal(&seen.token),
            seen.beat,
        )
    }

    /// A sign of life, and a new lease.
    pub(super) fn beat(&self, token: &str) -> String {
        format!(
            "UPDATE {} SET beat = beat + 1, lease_until = {} WHERE {}",
            self.table,
            self.lease(),
            self.is_of(token)
        )
    }

    pub(super) fn give_back(&self, token: &str) -> String {
        format!(
            "UPDATE {} SET token = '', beat = 0, lease_until = 0 WHERE {}",
            self.table,
            self.is_of(token)
        )
    }

    /// True while the lock is held under this token.
    pub(super) fn is_held(&self, token: &str) -> String {
        format!(
            "EXISTS (SELECT 1 FROM {} WHERE {})",
            self.table,
            self.is_of(token)
        )
    }

    /// The same, of the newest state of the row, which then stays so until the transaction ends.
    pub(super) fn is_held_for_sure(&self, token: &str) -> String {
        format!(
            "EXISTS (SELECT 1 FROM {} WHERE {}{})",
            self.table,
            self.is_of(token),
            self.dialect.for_update
        )
    }

    /// What stands at the end of a transaction that only the holder may commit. The row is written, not only read: on a cluster that is what
    /// makes the commit fail where another node has given the lock to somebody else.
    pub(super) fn fence(&self, token: &str) -> [Command<'static>; 2] {
        [
            Command::own(self.beat(token)),
            Command::Assert(self.is_held_for_sure(token), AssertionError::lock_lost(&self.key)),
        ]
    }

    fn lease(&self) -> String {
        format!("{} + {}", self.dialect.clock_ms, LEASE.as_millis())
    }

    fn is(&self) -> String {
        format!("name = {}", (self.dialect.literal)(&self.name))
    }

    fn is_of(&self, token: &str) -> String {
        format!(
            "{} AND token = {}",
            self.is(),
            (self.dialect.literal)(token)
        )
    }
}

/// Reads a row of [`LockRow::look`].
pub(super) fn parse(row: Row) -> Result<Sight> {
    let read = |row: Row| {
        let [token, beat, holder, session, since, lease_ms] =
            <[Option<String>; 6]>::try_from(row).ok()?;
        Some(Sight {
            token: token?,
            beat: beat?.parse().ok()?,
            holder: holder?,
            session: session?,
            since,
            lease_ms: lease_ms?.parse().ok()?,
        })
    };
    read(row).ok_or_else(|| {
        Error::new(
            ErrorKind::Unexpected,
            format!("a row of {TABLE} makes no sense"),
        )
    })
}

/// A key as the name of a row: the id in decimal; of a name `=` and the first 32 hexadecimal digits of its SHA-256, since engines
/// disagree on which texts are equal. Frozen.
fn name_of(key: &LockKey) -> String {
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
    fn names_of_rows_never_change() {
        assert_eq!(name_of(&LockKey::default()), "4006");
        assert_eq!(name_of(&LockKey::id(-1)), "-1");
        // printf orders | sha256sum
        assert_eq!(
            name_of(&LockKey::named("orders").unwrap()),
            "=1c168adb00d208e42f93314529f1fa9c"
        );
    }
}
