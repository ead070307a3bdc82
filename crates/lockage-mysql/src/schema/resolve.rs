//! Compares the schema with a snapshot, to determine whether a statement took effect.

use lockage_core::{Error, ErrorKind, Result};
use lockage_sql::Resolution;

use super::object::{self, ObjectState, quoted};
use super::snapshot::{Snapshot, UNKNOWN, other_objects, read_all, read_storage};
use crate::driver::DriverConnection;
use crate::server_info::ServerInfo;
use crate::statement::{
    Change, Class, Clause, DdlEffect, Name, ObjectChange, classify, verifiable,
};

/// Determines whether a statement took effect, from the snapshot before it and the schema now.
pub(crate) async fn resolve(
    driver: &mut DriverConnection,
    server: &ServerInfo,
    database: &str,
    statement: &str,
    snapshot: Option<&str>,
) -> Result<Resolution> {
    let Some(before) = snapshot.and_then(Snapshot::parse) else {
        return Ok(Resolution::Unknown(
            "it commits by itself and may have committed only a part".into(),
        ));
    };
    let effect = match classify(before.effective.as_deref().unwrap_or(statement)) {
        Class::Ddl(effect) => effect,
        _ => {
            return Ok(Resolution::Unknown(
                "it writes to a table whose engine has no transactions and may have written only a part"
                    .into(),
            ));
        }
    };
    match effect {
        DdlEffect::Idempotent => Ok(Resolution::NotApplied),
        DdlEffect::Truncates(table) => {
            resolve_truncate(driver, server, &table, before.objects.first()).await
        }
        DdlEffect::Changes(changes) => {
            resolve_changes(driver, server, database, &changes, &before).await
        }
        DdlEffect::Unknown => Ok(Resolution::Unknown(
            "the schema does not show its effect".into(),
        )),
    }
}

async fn resolve_truncate(
    driver: &mut DriverConnection,
    server: &ServerInfo,
    table: &Name,
    before: Option<&ObjectState>,
) -> Result<Resolution> {
    let name = quoted(table);
    match (before, read_storage(driver, server, table).await?) {
        (Some(ObjectState::Present(before)), ObjectState::Present(now)) => Ok(if *before == now {
            Resolution::NotApplied
        } else {
            Resolution::Applied
        }),
        _ if object::is_empty(driver, table).await? => Ok(Resolution::Applied),
        _ => Ok(Resolution::Unknown(format!(
            "{name} has rows, and this user cannot see whether they were inserted before or after it (that requires the privilege PROCESS)"
        ))),
    }
}

async fn resolve_changes(
    driver: &mut DriverConnection,
    server: &ServerInfo,
    database: &str,
    changes: &[ObjectChange],
    before: &Snapshot,
) -> Result<Resolution> {
    let now = read_all(driver, changes).await?;
    if now.len() != before.objects.len() {
        return Err(Error::new(
            ErrorKind::Unexpected,
            "the journal's snapshot of the schema belongs to another statement",
        ));
    }
    let is_complete = server.has_started_at(before.started_at) || server.has_atomic_ddl();
    let mut verdicts = Vec::new();
    for ((change, before), now) in changes.iter().zip(&before.objects).zip(&now) {
        verdicts.push(object_verdict(driver, is_complete, change, before, now).await?);
    }
    if verdicts
        .iter()
        .all(|verdict| *verdict == Verdict::NotApplied)
    {
        return Ok(Resolution::NotApplied);
    }
    if verdicts.iter().all(|verdict| *verdict == Verdict::Applied) {
        return Ok(Resolution::Applied);
    }
    let may_be_applied = verdicts
        .iter()
        .all(|verdict| matches!(verdict, Verdict::Applied | Verdict::Ambiguous));
    if may_be_applied
        && before.other_objects != UNKNOWN
        && other_objects(driver, database, changes).await? == before.other_objects
    {
        // Nothing else in the schema changed, so no other session changed these objects either.
        return Ok(Resolution::Applied);
    }
    let descriptions: Vec<String> = changes
        .iter()
        .zip(before.objects.iter().zip(&now))
        .map(|(change, (before, now))| {
            format!(
                "{} {} {}",
                change.object.keyword().to_lowercase(),
                quoted(&change.name),
                describe_change(before, now)
            )
        })
        .collect();
    Ok(Resolution::Unknown(descriptions.join("; ")))
}

/// What the state of one object shows about the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The statement took effect.
    Applied,
    /// The statement did not take effect.
    NotApplied,
    /// The object changed, but the change may not be that of the statement.
    Ambiguous,
    /// The state does not show anything about the statement.
    NoEvidence,
}

/// `is_complete`: no statement was interrupted half way by the end of the server.
async fn object_verdict(
    driver: &mut DriverConnection,
    is_complete: bool,
    change: &ObjectChange,
    before: &ObjectState,
    now: &ObjectState,
) -> Result<Verdict> {
    use Change::{Altered, Created, CreatedWithRows, Dropped};
    use ObjectState::{Absent, Hidden, Present};
    Ok(match (&change.change, before, now) {
        (_, Hidden, _) | (_, _, Hidden) => Verdict::NoEvidence,
        (Created | CreatedWithRows, Absent, Absent) => Verdict::NotApplied,
        (Created, Absent, Present(_)) => Verdict::Applied,
        // An old server that crashed may have left the table without its rows.
        (CreatedWithRows, Absent, Present(_)) if is_complete => Verdict::Applied,
        // The statement fails, or does not change an existing object.
        (Created | CreatedWithRows, Present(before), Present(now)) if before == now => {
            Verdict::NotApplied
        }
        (Dropped, Present(_), Absent) => Verdict::Applied,
        (Dropped, Present(_), Present(_)) | (Dropped, Absent, Absent) => Verdict::NotApplied,
        (Altered(_), Present(before), Present(now)) if before == now => Verdict::NotApplied,
        (Altered(clauses), Present(_), now) => alter_verdict(driver, change, clauses, now).await?,
        (Altered(_), Absent, Absent) => Verdict::NotApplied,
        _ => Verdict::NoEvidence,
    })
}

/// Returns what the parts of a table show about the clauses. All clauses take effect or none, so all verifiable clauses must agree.
async fn alter_verdict(
    driver: &mut DriverConnection,
    change: &ObjectChange,
    clauses: &[Clause],
    now: &ObjectState,
) -> Result<Verdict> {
    let table = &change.name;
    if let Some(new) = clauses.iter().find_map(|clause| match clause {
        Clause::RenamesTable(new) => Some(new),
        _ => None,
    }) {
        let is_renamed = *now == ObjectState::Absent
            && matches!(
                object::read(driver, change.object, new).await?,
                ObjectState::Present(_)
            );
        return Ok(match (is_renamed, now) {
            (true, _) => Verdict::Applied,
            (false, ObjectState::Present(_)) => Verdict::NotApplied,
            _ => Verdict::NoEvidence,
        });
    }
    if *now == ObjectState::Absent {
        return Ok(Verdict::NoEvidence);
    }
    let (mut any_applied, mut any_not_applied) = (false, false);
    for (part, exists_after) in verifiable(clauses) {
        let applied = object::has_part(driver, table, part).await? == exists_after;
        any_applied |= applied;
        any_not_applied |= !applied;
    }
    Ok(match (any_applied, any_not_applied) {
        (true, false) => Verdict::Applied,
        (false, true) => Verdict::NotApplied,
        (true, true) => Verdict::NoEvidence,
        (false, false) => Verdict::Ambiguous,
    })
}

fn describe_change(before: &ObjectState, now: &ObjectState) -> &'static str {
    use ObjectState::{Absent, Hidden, Present};
    match (before, now) {
        (Hidden, _) | (_, Hidden) => "is not visible to this user",
        (Absent, Absent) => "did not exist before and does not exist now",
        (Absent, Present(_)) => "did not exist before and exists now",
        (Present(_), Absent) => "existed before and does not exist now",
        (Present(before), Present(now)) if before == now => "has the same definition as before",
        (Present(_), Present(_)) => "has another definition than before",
    }
}
