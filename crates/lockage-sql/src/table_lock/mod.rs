//! The lock in a table: a row with a lease, for engines and clusters whose own locks do not exclude.
//!
//! A session acquires it by writing a token and a lease into the row, with a compare-and-set on the row that it last read, and
//! reads the row back. A second connection renews the lease while the first is busy. Every transaction that writes history or
//! journal ends by writing the row under the token, so that a superseded holder cannot commit. All times are the server's.
//!
//! When a holder dies, the lock is free after its lease expires; when its session is dropped, as soon as the session has ended on
//! the server. A statement outside a transaction that a dead holder started could still run at that time. The engine must have
//! ended its session by then: backends set an idle timeout that is shorter than the lease.

mod lease_renewer;
mod row;

use std::time::Duration;

use lockage_core::{Error, ErrorKind, LockHolder, LockKey, Result};

use crate::command::{AssertionError, Command, CommandError, FailureCause};
use crate::connection::Connection;
use crate::errors::lock_not_held_error;
use crate::internal_commands::{execute, query};
use crate::lease_support::{LeaseSession, LeaseSupport};
use lease_renewer::{LeaseRenewer, LeaseTarget, query_bool};
use row::{LEASE_DURATION, LockRow, RowSnapshot};

pub use row::TABLE;

/// The idle time after which the server ends the session of a holder: shorter than
/// [`LEASE_DURATION`].
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// An expired lease is read again after this time: a cluster that is held up by a long statement delivers the renewals only after
/// the statement.
const EXPIRY_CONFIRM_DELAY: Duration = Duration::from_millis(500);

/// The lock in a table of one session.
#[derive(Debug)]
pub(crate) struct TableLock {
    /// The holder's name in the row: `user@host pid`.
    holder: String,
    lease: Option<Lease>,
}

/// A lease that this session holds.
#[derive(Debug)]
struct Lease {
    row: LockRow,
    token: String,
    renewer: LeaseRenewer,
}

impl TableLock {
    pub(crate) fn new(holder: String) -> Self {
        Self {
            holder,
            lease: None,
        }
    }

    /// Tries once to acquire the lock.
    pub(crate) async fn try_lock(
        &mut self,
        on: &mut impl LeaseSupport,
        schema: Option<&str>,
        key: &LockKey,
        session: LeaseSession,
    ) -> Result<bool> {
        if let Some(lease) = &self.lease {
            if lease.row.key() == key {
                return self.holds(on, key).await;
            }
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a session can hold only one lock in a table",
            ));
        }
        let row = LockRow::new(on.dialect(), schema, key);
        let seen = load_or_create(on, schema, &row).await?;
        if seen.is_leased() {
            return Ok(false);
        }
        let token = new_token();
        let mut sibling = on.open_sibling().await?;
        let mut watched = session.clone();
        // A server can hide the session from other connections. The condition would then be false from the start.
        if let Some(exists) = watched.exists_sql.take()
            && query_bool(&mut sibling, &exists).await == Some(true)
        {
            watched.exists_sql = Some(exists);
        }
        let target = LeaseTarget {
            row: row.clone(),
            token: token.clone(),
            session: watched,
        };
        let mut renewer = LeaseRenewer::new(sibling, target);
        let session_id = session.id.as_deref().unwrap_or_default();
        if !self.acquire(on, &row, seen, &token, session_id).await? {
            renewer.stop();
            return Ok(false);
        }
        renewer.start();
        on.set_idle_timeout(Some(IDLE_TIMEOUT)).await?;
        self.lease = Some(Lease {
            row,
            token,
            renewer,
        });
        Ok(true)
    }

    /// Returns whether no other session holds the row, for a session that holds the engine's own lock.
    ///
    /// An expired lease is acquired and released, so that its former holder notices.
    pub(crate) async fn is_free(
        &self,
        on: &mut impl LeaseSupport,
        schema: Option<&str>,
        key: &LockKey,
    ) -> Result<bool> {
        let row = LockRow::new(on.dialect(), schema, key);
        let Some(seen) = load_if_exists(on, &row).await? else {
            return Ok(true);
        };
        if seen.is_free() {
            return Ok(true);
        }
        let token = new_token();
        if !self.acquire(on, &row, seen, &token, "").await? {
            return Ok(false);
        }
        execute(on, &[Command::internal(row.release_sql(&token))]).await?;
        Ok(true)
    }

    /// Writes a token into a row that is free or whose lease expired. Returns `false` if another session holds the row or
    /// acquired it first.
    async fn acquire(
        &self,
        on: &mut impl LeaseSupport,
        row: &LockRow,
        mut seen: RowSnapshot,
        token: &str,
        session_id: &str,
    ) -> Result<bool> {
        if seen.is_leased() {
            return Ok(false);
        }
        if !seen.is_free() {
            tokio::time::sleep(EXPIRY_CONFIRM_DELAY).await;
            match load(on, row).await? {
                Some(again) if again.is_unchanged(&seen) && !again.is_leased() => seen = again,
                _ => return Ok(false),
            }
            // Statements that the former holder started run as long as its session.
            if !seen.session.is_empty()
                && !on
                    .terminate_session(&seen.session, seen.since.as_deref())
                    .await?
            {
                return Ok(false);
            }
        }
        let acquire = [
            Command::internal(on.dialect().begin),
            Command::internal(row.acquire_sql(token, &seen, &self.holder, session_id)),
            Command::internal(on.dialect().commit),
        ];
        match execute(on, &acquire).await {
            Err(failure) if failure.cause == FailureCause::LockTimeout => return Ok(false),
            outcome => outcome?,
        }
        // A cluster can report a commit that it did not make.
        Ok(load(on, row)
            .await?
            .is_some_and(|snapshot| snapshot.token == token))
    }

    pub(crate) async fn holds(&mut self, on: &mut impl Connection, key: &LockKey) -> Result<bool> {
        let Some(condition) = self.held_sql(key) else {
            return Ok(false);
        };
        let sql = format!("SELECT CASE WHEN {condition} THEN 1 ELSE 0 END");
        let rows = query(on, &sql).await?;
        Ok(rows
            .first()
            .and_then(|row| row.first())
            .is_some_and(|held| held.as_deref() == Some("1")))
    }

    pub(crate) async fn unlock(&mut self, on: &mut impl LeaseSupport, key: &LockKey) -> Result<()> {
        let not_held = lock_not_held_error(key);
        let Some(lease) = self.lease.take_if(|lease| lease.row.key() == key) else {
            return Err(not_held);
        };
        let dialect = on.dialect();
        let release = [
            Command::internal(dialect.begin),
            Command::Assert(
                lease.row.held_for_update_sql(&lease.token),
                AssertionError::new(not_held.kind(), not_held.message()),
            ),
            Command::internal(lease.row.release_sql(&lease.token)),
            Command::internal(dialect.commit),
        ];
        execute(on, &release).await?;
        lease.renewer.stop();
        on.set_idle_timeout(None).await
    }

    pub(crate) async fn holder(
        &self,
        on: &mut impl Connection,
        schema: Option<&str>,
        key: &LockKey,
    ) -> Result<Option<LockHolder>> {
        let row = LockRow::new(on.dialect(), schema, key);
        let snapshot = load_if_exists(on, &row).await?;
        Ok(snapshot
            .filter(RowSnapshot::is_leased)
            .map(|snapshot| holder_from_row(snapshot, &row)))
    }

    /// Terminates the session that holds the row and releases the row, if the row still names the reported holder.
    ///
    /// The row is not released before the session has ended: a statement of it may run outside a transaction.
    pub(crate) async fn terminate_holder(
        &self,
        on: &mut impl LeaseSupport,
        schema: Option<&str>,
        key: &LockKey,
        holder: &LockHolder,
    ) -> Result<()> {
        let row = LockRow::new(on.dialect(), schema, key);
        let is_holder = |snapshot: &RowSnapshot| {
            holder.session.as_deref().unwrap_or_default() == snapshot.session
                && holder.since == snapshot.since
        };
        let snapshot = load_if_exists(on, &row).await?;
        let Some(snapshot) = snapshot.filter(|row| !row.is_free() && is_holder(row)) else {
            return Ok(());
        };
        let session = snapshot.session.as_str();
        let statement = on.terminate_session_sql(session);
        if session.is_empty() || !on.can_see_session(session).await {
            return Err(no_session_error(holder, statement));
        }
        if !on
            .terminate_session(session, snapshot.since.as_deref())
            .await?
        {
            return Err(cannot_terminate_error(holder, statement));
        }
        execute(on, &[Command::internal(row.release_sql(&snapshot.token))]).await?;
        Ok(())
    }

    /// Returns whether this session holds the lease of a key.
    pub(crate) fn has_lease(&self, key: &LockKey) -> bool {
        self.lease_of(key).is_some()
    }

    /// Returns the condition at the start of a transaction in which only the holder may write.
    pub(crate) fn held_sql(&self, key: &LockKey) -> Option<String> {
        let lease = self.lease_of(key)?;
        Some(lease.row.held_sql(&lease.token))
    }

    /// Returns the last commands of a transaction that only the holder may commit.
    pub(crate) fn fencing_check(&self) -> Vec<Command<'static>> {
        self.lease.as_ref().map_or_else(Vec::new, |lease| {
            lease.row.fencing_check(&lease.token).into()
        })
    }

    fn lease_of(&self, key: &LockKey) -> Option<&Lease> {
        self.lease.as_ref().filter(|lease| lease.row.key() == key)
    }
}

fn new_token() -> String {
    format!("{:032x}", fastrand::u128(..))
}

fn holder_from_row(snapshot: RowSnapshot, row: &LockRow) -> LockHolder {
    let (user, host_and_pid) = snapshot
        .holder
        .split_once('@')
        .unwrap_or(("", &snapshot.holder));
    let (host, process) = host_and_pid.rsplit_once(' ').unwrap_or((host_and_pid, ""));
    let non_empty = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let mut holder = LockHolder::default();
    holder.session = non_empty(&snapshot.session);
    holder.user = non_empty(user);
    holder.host = non_empty(host);
    holder.application = non_empty(process).map(|process| format!("lockage, process {process}"));
    holder.since = snapshot.since;
    holder.query = Some(row.operator_sql());
    holder
}

fn no_session_error(holder: &LockHolder, statement: Option<String>) -> Error {
    let error = Error::new(
        ErrorKind::Unsupported,
        format!(
            "the lock is a row in the table {TABLE}, and its holder has no session on this server: {holder}"
        ),
    );
    error.with_hint(statement.unwrap_or_else(|| {
        format!(
            "stop that process on its host; the lock is free when its session has ended, at most {} s after its last renewal",
            LEASE_DURATION.as_secs()
        )
    }))
}

fn cannot_terminate_error(holder: &LockHolder, statement: Option<String>) -> Error {
    let error = Error::new(
        ErrorKind::Unsupported,
        format!(
            "this user cannot terminate the holder's session, or the session does not end: {holder}"
        ),
    );
    match statement {
        Some(statement) => error.with_hint(format!(
            "run as an administrator or as the holder's own account: {statement}"
        )),
        None => error,
    }
}

/// Reads the row. Creates the table and the row if they do not exist; another session may create them at the same time.
async fn load_or_create(
    on: &mut impl Connection,
    schema: Option<&str>,
    row: &LockRow,
) -> Result<RowSnapshot> {
    match load(on, row).await {
        Ok(Some(snapshot)) => return Ok(snapshot),
        Ok(None) => {}
        Err(failure) if failure.cause == FailureCause::MissingTable => {
            if let Some(schema) = schema {
                on.ensure_schema(schema).await?;
            }
            let created = execute(on, &[Command::internal(row.create_table_sql())]).await;
            match load(on, row).await {
                Ok(Some(snapshot)) => return Ok(snapshot),
                Ok(None) => {}
                Err(failure) => return Err(created.err().unwrap_or(failure).into()),
            }
        }
        Err(failure) => return Err(failure.into()),
    }
    let inserted = execute(on, &[Command::internal(row.insert_sql())]).await;
    match (load(on, row).await?, inserted) {
        (Some(snapshot), _) => Ok(snapshot),
        (None, Err(failure)) => Err(failure.into()),
        (None, Ok(())) => Err(Error::new(
            ErrorKind::Unsupported,
            format!("a row inserted into {TABLE} was not found afterwards"),
        )),
    }
}

/// Reads the row; `None` if the table or the row does not exist.
async fn load_if_exists(on: &mut impl Connection, row: &LockRow) -> Result<Option<RowSnapshot>> {
    match load(on, row).await {
        Err(failure) if failure.cause == FailureCause::MissingTable => Ok(None),
        outcome => Ok(outcome?),
    }
}

async fn load(
    on: &mut impl Connection,
    row: &LockRow,
) -> Result<Option<RowSnapshot>, CommandError> {
    let rows = query(on, &row.select_sql()).await?;
    rows.into_iter()
        .next()
        .map(row::parse)
        .transpose()
        .map_err(|error| CommandError::new(0, error))
}
