//! A lock that is a row in a table of ours, for engines and clusters whose own locks do not exclude.
//!
//! Whoever takes it writes a token and a lease into the row, with a compare-and-set on what was last seen there, and reads it back to be
//! sure. A second connection renews the lease while the first is busy. Every transaction that writes history or journal ends by writing
//! the row under the token: a holder that was superseded cannot commit. Time is the server's, never ours.
//!
//! A holder that dies frees the lock when its lease runs out; one that is dropped, as soon as its session has ended on the server. What a
//! dead one had the server do outside a transaction may still run then: the engine must have ended its session by that time, which backends
//! see to with an idle time-out that is shorter than the lease.

mod heart;
mod table;

use std::time::Duration;

use lockage_core::{Error, ErrorKind, LockHolder, LockKey, Result};

use crate::again;
use crate::connection::{FailureCause, Connection, CommandError, Command, AssertionError};
use heart::{Heart, Purpose};
use table::{LockRow, Sight};

pub use table::TABLE;

/// How long a holder may be silent before others may take the lock.
pub(crate) const LEASE: Duration = Duration::from_secs(15);

/// After how long a silence the server ends the session of a holder: before its lease runs out.
const SILENCE: Duration = Duration::from_secs(10);

/// How often the lease is renewed.
const BEAT: Duration = Duration::from_secs(3);

/// A lease that has run out is looked at once more after this time: a cluster that was held up by a long statement delivers the signs of
/// life only after it.
const SECOND_LOOK: Duration = Duration::from_millis(500);

/// The locks of one session.
#[derive(Debug)]
pub(crate) struct TableLock {
    /// What the row says of this session: `user@host pid`.
    holder: String,
    claim: Option<Claim>,
}

/// A lock that was taken.
#[derive(Debug)]
struct Claim {
    row: LockRow,
    token: String,
    heart: Heart,
}

impl TableLock {
    pub(crate) fn new(holder: String) -> Self {
        Self {
            holder,
            claim: None,
        }
    }

    pub(crate) async fn try_lock(
        &mut self,
        on: &mut impl Connection,
        schema: Option<&str>,
        key: &LockKey,
    ) -> Result<bool> {
        if let Some(claim) = &self.claim {
            if claim.row.key() == key {
                return self.holds(on, key).await;
            }
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a session holds only one lock in a table at a time",
            ));
        }
        let row = LockRow::new(on.dialect(), schema, key);
        let seen = self.look_or_make(on, schema, &row).await?;
        if seen.is_alive() {
            return Ok(false);
        }
        let token = format!("{:032x}", fastrand::u128(..));
        let mut another = on.open_sibling().await?;
        // What the server does not show to another connection says nothing there.
        let session = match on.session_exists_sql() {
            Some(stands) if heart::says(&mut another, &stands).await == Some(true) => Some(stands),
            _ => None,
        };
        let purpose = Purpose {
            row: row.clone(),
            token: token.clone(),
            session,
            cut: on.cut(),
        };
        let mut heart = Heart::new(another, purpose);
        if !self.take(on, &row, seen, &token).await? {
            heart.end();
            return Ok(false);
        }
        heart.begin();
        on.set_idle_timeout(Some(SILENCE)).await?;
        self.claim = Some(Claim { row, token, heart });
        Ok(true)
    }

    /// Makes sure that nobody holds the row, for a session that holds the engine's own lock. A lease that ran out is taken over and given
    /// back, so that whoever had it finds that out.
    pub(crate) async fn is_free(
        &self,
        on: &mut impl Connection,
        schema: Option<&str>,
        key: &LockKey,
    ) -> Result<bool> {
        let row = LockRow::new(on.dialect(), schema, key);
        let seen = match look(on, &row).await {
            Ok(Some(seen)) if !seen.is_free() => seen,
            Ok(_) => return Ok(true),
            Err(failure) if failure.cause == FailureCause::MissingTable => return Ok(true),
            Err(failure) => return Err(failure.into()),
        };
        let token = format!("{:032x}", fastrand::u128(..));
        if !self.take(on, &row, seen, &token).await? {
            return Ok(false);
        }
        again::run(on, &[Command::own(row.give_back(&token))]).await?;
        Ok(true)
    }

    /// Writes a token into a row that is free, or whose lease ran out; `false` where others hold it or were quicker.
    async fn take(
        &self,
        on: &mut impl Connection,
        row: &LockRow,
        mut seen: Sight,
        token: &str,
    ) -> Result<bool> {
        if seen.is_alive() {
            return Ok(false);
        }
        if !seen.is_free() {
            tokio::time::sleep(SECOND_LOOK).await;
            match look(on, row).await? {
                Some(again) if again.is_still(&seen) && !again.is_alive() => seen = again,
                _ => return Ok(false),
            }
            // What it had the server do goes on as long as its session.
            if !seen.session.is_empty()
                && !on.end_holder(&seen.session, seen.since.as_deref()).await?
            {
                return Ok(false);
            }
        }
        let session = on.session_id().unwrap_or_default();
        let take = [
            Command::own(on.dialect().begin),
            Command::own(row.take(token, &seen, &self.holder, &session)),
            Command::own(on.dialect().commit),
        ];
        match again::run(on, &take).await {
            Err(failure) if failure.cause == FailureCause::LockTimeout => return Ok(false),
            taken => taken?,
        }
        // A cluster may say that it committed what it did not.
        Ok(look(on, row)
            .await?
            .is_some_and(|sight| sight.token == token))
    }

    pub(crate) async fn holds(&mut self, on: &mut impl Connection, key: &LockKey) -> Result<bool> {
        let Some(claim) = self.claim.as_ref().filter(|claim| claim.row.key() == key) else {
            return Ok(false);
        };
        let sql = format!(
            "SELECT CASE WHEN {} THEN 1 ELSE 0 END",
            claim.row.is_held(&claim.token)
        );
        let rows = again::query(on, &sql).await?;
        Ok(rows
            .first()
            .and_then(|row| row.first())
            .is_some_and(|held| held.as_deref() == Some("1")))
    }

    pub(crate) async fn unlock(&mut self, on: &mut impl Connection, key: &LockKey) -> Result<()> {
        let refusal = AssertionError::new(
            ErrorKind::LockLost,
            format!("this session did not hold the lock {key}"),
        );
        let Some(claim) = self.claim.take_if(|claim| claim.row.key() == key) else {
            return Err(refusal.into());
        };
        let dialect = on.dialect();
        let give_back = [
            Command::own(dialect.begin),
            Command::Assert(claim.row.is_held_for_sure(&claim.token), refusal),
            Command::own(claim.row.give_back(&claim.token)),
            Command::own(dialect.commit),
        ];
        again::run(on, &give_back).await?;
        claim.heart.end();
        on.set_idle_timeout(None).await
    }

    pub(crate) async fn holder(
        &self,
        on: &mut impl Connection,
        schema: Option<&str>,
        key: &LockKey,
    ) -> Result<Option<LockHolder>> {
        let row = LockRow::new(on.dialect(), schema, key);
        let sight = match look(on, &row).await {
            Ok(sight) => sight,
            Err(failure) if failure.cause == FailureCause::MissingTable => None,
            Err(failure) => return Err(failure.into()),
        };
        Ok(sight.filter(Sight::is_alive).map(|sight| {
            let (user, place) = sight.holder.split_once('@').unwrap_or(("", &sight.holder));
            let (host, process) = place.rsplit_once(' ').unwrap_or((place, ""));
            let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let mut holder = LockHolder::default();
            holder.session = text(&sight.session);
            holder.user = text(user);
            holder.host = text(host);
            holder.application = text(process).map(|process| format!("lockage, process {process}"));
            holder.since = sight.since;
            holder.query = Some(row.by_hand());
            holder
        }))
    }

    /// Ends the session that holds the row and gives the row back in its place, as long as it is the one that was told. Until a session has
    /// ended, its lock stays: a statement of it may run outside a transaction.
    pub(crate) async fn end_holder(
        &self,
        on: &mut impl Connection,
        schema: Option<&str>,
        key: &LockKey,
        told: &LockHolder,
    ) -> Result<()> {
        let row = LockRow::new(on.dialect(), schema, key);
        let sight = match look(on, &row).await {
            Ok(sight) => sight,
            Err(failure) if failure.cause == FailureCause::MissingTable => None,
            Err(failure) => return Err(failure.into()),
        };
        let told_of = |sight: &Sight| {
            told.session.as_deref().unwrap_or_default() == sight.session
                && told.since == sight.since
        };
        let Some(sight) = sight.filter(|sight| !sight.is_free() && told_of(sight)) else {
            return Ok(());
        };
        let session = sight.session.as_str();
        let hint = on.ending(session);
        if session.is_empty() || !on.shows(session).await {
            let what = "the lock is a row in the table";
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("{what} {TABLE}, and its holder has no session on this server: {told}"),
            )
            .with_hint(hint.unwrap_or_else(|| {
                format!(
                    "end that process on its host; the lock is free when its session has ended, {} s after its last sign of life at the latest",
                    LEASE.as_secs()
                )
            })));
        }
        if !on.end_holder(session, sight.since.as_deref()).await? {
            let error = Error::new(
                ErrorKind::Unsupported,
                format!(
                    "this user may not end the session of the holder, or it does not end: {told}"
                ),
            );
            return Err(match hint {
                Some(statement) => error.with_hint(format!(
                    "have an administrator, or the holder's own account, run: {statement}"
                )),
                None => error,
            });
        }
        again::run(on, &[Command::own(row.give_back(&sight.token))]).await?;
        Ok(())
    }

    /// Whether a session has taken this lock.
    pub(crate) fn has_claim(&self, key: &LockKey) -> bool {
        self.claim
            .as_ref()
            .is_some_and(|claim| claim.row.key() == key)
    }

    /// What must be true at the beginning of a transaction that only the holder may write.
    pub(crate) fn condition(&self, key: &LockKey) -> Option<String> {
        let claim = self.claim.as_ref().filter(|claim| claim.row.key() == key)?;
        Some(claim.row.is_held(&claim.token))
    }

    /// What stands at its end.
    pub(crate) fn fence(&self) -> Vec<Command<'static>> {
        self.claim
            .as_ref()
            .map_or_else(Vec::new, |claim| claim.row.fence(&claim.token).into())
    }

    /// Looks at the row; makes the table and the row where they are missing. Whoever makes them at the same time is welcome.
    async fn look_or_make(
        &self,
        on: &mut impl Connection,
        schema: Option<&str>,
        row: &LockRow,
    ) -> Result<Sight> {
        match look(on, row).await {
            Ok(Some(sight)) => return Ok(sight),
            Ok(None) => {}
            Err(failure) if failure.cause == FailureCause::MissingTable => {
                if let Some(schema) = schema {
                    on.ensure_schema(schema).await?;
                }
                let made = again::run(on, &[Command::own(row.create_table())]).await;
                match look(on, row).await {
                    Ok(Some(sight)) => return Ok(sight),
                    Ok(None) => {}
                    Err(failure) => return Err(made.err().unwrap_or(failure).into()),
                }
            }
            Err(failure) => return Err(failure.into()),
        }
        let made = again::run(on, &[Command::own(row.insert())]).await;
        match (look(on, row).await?, made) {
            (Some(sight), _) => Ok(sight),
            (None, Err(failure)) => Err(failure.into()),
            (None, Ok(())) => Err(Error::new(
                ErrorKind::Unsupported,
                format!("the table {TABLE} forgets what is written into it"),
            )),
        }
    }
}

async fn look(on: &mut impl Connection, row: &LockRow) -> Result<Option<Sight>, CommandError> {
    let rows = again::query(on, &row.look()).await?;
    rows.into_iter()
        .next()
        .map(table::parse)
        .transpose()
        .map_err(|error| CommandError::new(0, error))
}
