use std::sync::Arc;

use super::steps::{Plan, PlanOptions};
use super::up::plan_up;
use crate::status::{MigrationEntry, MigrationStatus, compare};
use crate::{Action, Error, ErrorKind, History, Kind, MigrationSet, Result, Step};

/// Plans to undo every migration, newest first, and to apply all of them again. A script that changed after it was applied
/// does not prevent this.
///
/// # Errors
/// [`ErrorKind::Diverged`] if a migration is not finished, has no file or has no undo script.
pub(crate) fn plan_rebuild(set: &MigrationSet, history: &History) -> Result<Plan> {
    let mut errors = Vec::new();
    let mut steps = Vec::new();
    for entry in compare(set, history).into_iter().rev() {
        match (entry.kind, entry.status) {
            (Kind::Repeatable, _) if entry.row.is_none() => {}
            (Kind::Repeatable, _) => {
                steps.push(Step::new(entry.migration_or_row(), Action::DeleteRow));
            }
            (
                Kind::Versioned,
                MigrationStatus::Applied | MigrationStatus::Diverged | MigrationStatus::Undoing,
            ) => {
                let undo = entry
                    .version
                    .as_ref()
                    .and_then(|version| set.find(Kind::Undo, version));
                match undo {
                    Some(undo) => steps.push(Step::new(Arc::clone(undo), Action::Undo)),
                    None => errors.push(cannot_rebuild(&entry, "has no undo script")),
                }
            }
            (
                _,
                MigrationStatus::Pending | MigrationStatus::OutOfOrder | MigrationStatus::Ignored,
            ) => {}
            (_, status) => {
                errors.push(cannot_rebuild(&entry, &format!("is {}", status.as_str())));
            }
        }
    }
    if let Some(error) = Error::combine(errors) {
        return Err(error);
    }
    steps.extend(plan_up(set, &History::default(), &PlanOptions::default())?.steps);
    Ok(Plan::from_steps(steps))
}

fn cannot_rebuild(entry: &MigrationEntry, reason: &str) -> Error {
    let version = entry
        .version
        .as_ref()
        .map_or_else(|| entry.name.clone(), ToString::to_string);
    Error::new(
        ErrorKind::Diverged,
        format!(
            "the {} migration {version} {reason}; nothing was undone",
            entry.kind
        ),
    )
    .with_hint("finish every migration, and add its file and its undo script")
}

#[cfg(test)]
mod tests {
    use super::super::test_support::{actions, row};
    use super::*;
    use crate::{HistoryRow, State};

    #[test]
    fn rebuild_undoes_newest_first_and_applies_oldest_first() {
        let files = [
            ("V1__x.sql", "a"),
            ("U1__x.sql", ""),
            ("V2__x.sql", "b"),
            ("U2__x.sql", ""),
        ];
        let set = MigrationSet::from_texts(files.into_iter().chain([("R__v.sql", "c")])).unwrap();
        let applied = |version| row(version, State::Applied, "another");
        let repeatable = HistoryRow {
            kind: Kind::Repeatable,
            name: "v".into(),
            ..applied("R:v")
        };
        let rows = vec![applied("1"), applied("2"), repeatable];
        let rebuild = plan_rebuild(&set, &History::new(rows)).unwrap();
        let expected = [
            ("R:v", Action::DeleteRow),
            ("2", Action::Undo),
            ("1", Action::Undo),
            ("1", Action::Apply),
            ("2", Action::Apply),
            ("R:v", Action::Apply),
        ];
        assert_eq!(
            actions(&rebuild),
            expected.map(|(key, action)| (key.to_owned(), action))
        );
        let fresh = plan_rebuild(&set, &History::default()).unwrap();
        assert_eq!(actions(&fresh), actions(&rebuild)[3..]);
        for state in [State::Failed, State::Running, State::Other("odd".into())] {
            let rows = vec![applied("1"), row("2", state, "")];
            let error = plan_rebuild(&set, &History::new(rows)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Diverged);
        }
        let rows = vec![applied("1"), applied("2"), applied("3")];
        let ahead = plan_rebuild(&set, &History::new(rows)).unwrap_err();
        assert!(ahead.message().contains("3 is future"), "{ahead}");
        let without_undo = MigrationSet::from_texts([("V1__x.sql", "a")]).unwrap();
        let rows = vec![applied("1")];
        let error = plan_rebuild(&without_undo, &History::new(rows)).unwrap_err();
        assert!(error.message().contains("no undo script"), "{error}");
    }
}
