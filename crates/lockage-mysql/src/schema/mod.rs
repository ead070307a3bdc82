//! What the schema looked like before a statement that commits by itself, and what it says afterwards of whether the statement ran.

mod fingerprint;
mod object;

use std::fmt::Write;

use lockage_core::{Error, ErrorKind, Result};
use lockage_sql::Resolution;

use crate::error;
use crate::facts::Facts;
use crate::statement::{Becomes, Change, Class, Clause, Deed, Name, classify, telling};
use crate::wire::{Broken, Wire};
use fingerprint::Fingerprint;
use object::{Seen, quoted};

/// What stands for something that was not looked at, or that the user may not see.
const HIDDEN: &str = "?";

/// What the journal keeps of the schema before a statement: one line of words, then the statement that was really run where that is
/// another one, as with `EXECUTE`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Snapshot {
    /// All objects but those that the statement is about.
    rest: String,
    /// When the server was started, in seconds since 1970.
    started: u64,
    /// Each of those, in the order of the statement.
    seen: Vec<Seen>,
    effective: Option<String>,
}

impl Snapshot {
    fn write(&self) -> String {
        let mut text = format!("1 {} {}", self.rest, self.started);
        for seen in &self.seen {
            let _ = write!(text, " {}", seen.to_word());
        }
        if let Some(effective) = &self.effective {
            let _ = write!(text, "\n{effective}");
        }
        text
    }

    fn read(text: &str) -> Option<Self> {
        let (line, effective) = match text.split_once('\n') {
            Some((line, effective)) => (line, Some(effective.to_owned())),
            None => (text, None),
        };
        let mut words = line.split(' ');
        if words.next() != Some("1") {
            return None;
        }
        Some(Self {
            rest: words.next()?.to_owned(),
            started: words.next()?.parse().ok()?,
            seen: words.map(Seen::from_word).collect(),
            effective,
        })
    }
}

/// Looks at the schema before a statement. `effective` is what really runs, where that is not what the script says.
pub(crate) async fn before(
    wire: &mut Wire,
    facts: &Facts,
    home: &str,
    deed: &Deed,
    effective: Option<&str>,
) -> Result<String> {
    let (rest, seen) = match deed {
        Deed::Repeatable | Deed::Opaque => (HIDDEN.to_owned(), Vec::new()),
        Deed::Truncates(table) => (HIDDEN.to_owned(), vec![storage(wire, facts, table).await?]),
        Deed::Changes(changes) => {
            // The whole schema takes a while to look at, where it has a thousand tables; it is asked only where the objects alone may
            // not tell.
            let rest = if changes.iter().all(Change::tells) {
                HIDDEN.to_owned()
            } else {
                rest(wire, home, changes).await?
            };
            (rest, all(wire, changes).await?)
        }
    };
    let effective = effective.map(str::to_owned);
    let started = facts.started;
    Ok(Snapshot {
        rest,
        started,
        seen,
        effective,
    }
    .write())
}

/// Finds out whether a statement took effect, by what was seen before it and what is seen now.
pub(crate) async fn settle(
    wire: &mut Wire,
    facts: &Facts,
    home: &str,
    text: &str,
    before: Option<&str>,
) -> Result<Resolution> {
    let Some(before) = before.and_then(Snapshot::read) else {
        return Ok(Resolution::Unknown(
            "it commits by itself, and may have done so halfway".into(),
        ));
    };
    let deed = match classify(before.effective.as_deref().unwrap_or(text)) {
        Class::Ddl(deed) => deed,
        _ => {
            return Ok(Resolution::Unknown(
                "it writes a table whose engine has no transactions, and may have done so halfway"
                    .into(),
            ));
        }
    };
    match deed {
        Deed::Repeatable => Ok(Resolution::NotApplied),
        Deed::Truncates(table) => settle_truncate(wire, facts, &table, before.seen.first()).await,
        Deed::Changes(changes) => settle_changes(wire, facts, home, &changes, &before).await,
        Deed::Opaque => Ok(Resolution::Unknown("nothing in the schema shows it".into())),
    }
}

async fn settle_truncate(
    wire: &mut Wire,
    facts: &Facts,
    table: &Name,
    before: Option<&Seen>,
) -> Result<Resolution> {
    let name = quoted(table);
    match (before, storage(wire, facts, table).await?) {
        (Some(Seen::Present(before)), Seen::Present(now)) => Ok(if *before == now {
            Resolution::NotApplied
        } else {
            Resolution::Applied
        }),
        _ if object::is_empty(wire, table).await.map_err(plain)? => Ok(Resolution::Applied),
        _ => Ok(Resolution::Unknown(format!(
            "{name} has rows, and this user may not see whether they were written before or behind (that takes the right PROCESS)"
        ))),
    }
}

async fn settle_changes(
    wire: &mut Wire,
    facts: &Facts,
    home: &str,
    changes: &[Change],
    before: &Snapshot,
) -> Result<Resolution> {
    let now = all(wire, changes).await?;
    if now.len() != before.seen.len() {
        return Err(Error::new(
            ErrorKind::Unexpected,
            "the journal's note on the schema fits another statement",
        ));
    }
    // Whether the server has been the same process all along; its clock may have been set a little meanwhile.
    let lived = before.started.abs_diff(facts.started) <= 2;
    let mut verdicts = Vec::new();
    for ((change, before), now) in changes.iter().zip(&before.seen).zip(&now) {
        verdicts.push(verdict(wire, lived || facts.has_atomic_ddl(), change, before, now).await?);
    }
    if verdicts.iter().all(|verdict| *verdict == Verdict::Not) {
        return Ok(Resolution::NotApplied);
    }
    if verdicts.iter().all(|verdict| *verdict == Verdict::Done) {
        return Ok(Resolution::Applied);
    }
    let open = verdicts
        .iter()
        .all(|verdict| matches!(verdict, Verdict::Done | Verdict::Changed));
    if open && before.rest != HIDDEN && rest(wire, home, changes).await? == before.rest {
        // Nothing else in the whole schema changed, so nobody else was at it.
        return Ok(Resolution::Applied);
    }
    let seen: Vec<String> = changes
        .iter()
        .zip(before.seen.iter().zip(&now))
        .map(|(change, (before, now))| {
            format!(
                "{} {} {}",
                change.object.word().to_lowercase(),
                quoted(&change.name),
                told(before, now)
            )
        })
        .collect();
    Ok(Resolution::Unknown(seen.join("; ")))
}

/// What one object says of the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Done,
    Not,
    /// It is not as it was; whether that was the statement's doing, it does not tell.
    Changed,
    /// Nothing that can be used.
    Silent,
}

/// `whole`: no statement was cut short by the end of the server.
async fn verdict(
    wire: &mut Wire,
    whole: bool,
    change: &Change,
    before: &Seen,
    now: &Seen,
) -> Result<Verdict> {
    Ok(match (&change.becomes, before, now) {
        (_, Seen::Hidden, _) | (_, _, Seen::Hidden) => Verdict::Silent,
        (Becomes::There | Becomes::Filled, Seen::Absent, Seen::Absent) => Verdict::Not,
        (Becomes::There, Seen::Absent, Seen::Present(_)) => Verdict::Done,
        // An older server that died may have left the table without its rows.
        (Becomes::Filled, Seen::Absent, Seen::Present(_)) if whole => Verdict::Done,
        // The statement fails, or leaves alone what is there.
        (Becomes::There | Becomes::Filled, Seen::Present(before), Seen::Present(now))
            if before == now =>
        {
            Verdict::Not
        }
        (Becomes::Gone, Seen::Present(_), Seen::Absent) => Verdict::Done,
        (Becomes::Gone, Seen::Present(_), Seen::Present(_))
        | (Becomes::Gone, Seen::Absent, Seen::Absent) => Verdict::Not,
        (Becomes::Other(_), Seen::Present(before), Seen::Present(now)) if before == now => {
            Verdict::Not
        }
        (Becomes::Other(clauses), Seen::Present(_), now) => {
            altered(wire, change, clauses, now).await?
        }
        (Becomes::Other(_), Seen::Absent, Seen::Absent) => Verdict::Not,
        _ => Verdict::Silent,
    })
}

/// What the parts of a table say of the clauses. All clauses take effect, or none, so those that tell must agree.
async fn altered(
    wire: &mut Wire,
    change: &Change,
    clauses: &[Clause],
    now: &Seen,
) -> Result<Verdict> {
    let table = &change.name;
    if let Some(new) = clauses.iter().find_map(|clause| match clause {
        Clause::RenamesTable(new) => Some(new),
        _ => None,
    }) {
        let renamed = *now == Seen::Absent
            && matches!(
                object::look(wire, change.object, new)
                    .await
                    .map_err(plain)?,
                Seen::Present(_)
            );
        return Ok(match (renamed, now) {
            (true, _) => Verdict::Done,
            (false, Seen::Present(_)) => Verdict::Not,
            _ => Verdict::Silent,
        });
    }
    if *now == Seen::Absent {
        return Ok(Verdict::Silent);
    }
    let (mut done, mut not) = (false, false);
    for (part, there) in telling(clauses) {
        let took = object::has(wire, table, part).await.map_err(plain)? == there;
        done |= took;
        not |= !took;
    }
    Ok(match (done, not) {
        (true, false) => Verdict::Done,
        (false, true) => Verdict::Not,
        (true, true) => Verdict::Silent,
        (false, false) => Verdict::Changed,
    })
}

fn told(before: &Seen, now: &Seen) -> &'static str {
    match (before, now) {
        (Seen::Hidden, _) | (_, Seen::Hidden) => "is not shown to this user",
        (Seen::Absent, Seen::Absent) => "was missing before and is missing now",
        (Seen::Absent, Seen::Present(_)) => "was missing before and is there now",
        (Seen::Present(_), Seen::Absent) => "was there before and is missing now",
        (Seen::Present(before), Seen::Present(now)) if before == now => "is as it was before",
        (Seen::Present(_), Seen::Present(_)) => "has another definition than before",
    }
}

async fn all(wire: &mut Wire, changes: &[Change]) -> Result<Vec<Seen>> {
    let mut seen = Vec::with_capacity(changes.len());
    for change in changes {
        seen.push(
            object::look(wire, change.object, &change.name)
                .await
                .map_err(plain)?,
        );
    }
    Ok(seen)
}

async fn storage(wire: &mut Wire, facts: &Facts, table: &Name) -> Result<Seen> {
    let found = object::storage(wire, facts.flavour, table)
        .await
        .map_err(plain)?;
    Ok(found.map_or(Seen::Hidden, Seen::Present))
}

/// The fingerprint of everything else; `?` where the server does not show it to this user.
async fn rest(wire: &mut Wire, home: &str, changes: &[Change]) -> Result<String> {
    match Fingerprint::take(wire, home).await {
        Ok(taken) => Ok(taken.without(changes)),
        Err(broken) if error::hides(&broken.error) => Ok(HIDDEN.into()),
        Err(broken) => Err(plain(broken)),
    }
}

fn plain(broken: Broken) -> Error {
    error::plain(broken.error)
}

/// The first 16 bytes, in hexadecimal.
fn short_hex(digest: &[u8]) -> String {
    digest
        .iter()
        .take(16)
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_survives_the_journal() {
        for snapshot in [
            Snapshot {
                rest: "?".into(),
                started: 0,
                seen: Vec::new(),
                effective: None,
            },
            Snapshot {
                rest: "ab".into(),
                started: 1_800_000_000,
                seen: vec![Seen::Absent, Seen::Hidden, Seen::Present("cd".into())],
                effective: Some("ALTER TABLE t\nADD c INT".into()),
            },
        ] {
            assert_eq!(Snapshot::read(&snapshot.write()), Some(snapshot));
        }
        assert_eq!(Snapshot::read("2 x"), None);
    }
}
