//! What mends a history, as plans: pure, and run like any other.

use std::sync::Arc;

use super::repair;
use crate::status::{MigrationEntry, MigrationStatus, compare};
use crate::{
    Action, Error, ErrorKind, History, Kind, Migration, MigrationSet, Plan, PlanOptions, Result,
    State, Step, Version, plan,
};

/// Marks a version in a history that has none.
pub(super) fn plan_baseline(
    set: &MigrationSet,
    history: &History,
    version: Option<&Version>,
) -> Result<Plan> {
    let version = version.ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidConfig,
            "a baseline needs the version that the database is at",
        )
    })?;
    let mut live = history.rows.iter().filter(|row| row.state != State::Undone);
    let versions: Vec<_> = live
        .by_ref()
        .filter(|row| row.kind != Kind::Repeatable)
        .collect();
    match versions.as_slice() {
        [] => {
            // The script of that version, where there is one: its row must have its checksum.
            let mark = set
                .find(Kind::Baseline, version)
                .cloned()
                .unwrap_or_else(|| {
                    let version = Some(version.clone());
                    Arc::new(Migration::without_file(Kind::Baseline, version, "baseline"))
                });
            Ok(Plan {
                steps: vec![Step::new(mark, Action::MarkApplied)],
                ..Plan::default()
            })
        }
        [row] if row.kind == Kind::Baseline && row.parsed_version().as_ref() == Some(version) => {
            Ok(Plan::default())
        }
        [row, ..] => Err(Error::new(
            ErrorKind::Diverged,
            format!(
                "the history is not empty: it has version {} ({})",
                row.version, row.name
            ),
        )
        .with_hint("a baseline marks a database that Lockage has never migrated")),
    }
}

/// Takes everything back, newest first, and applies it again. A script that changed since it was applied is no hindrance.
pub(super) fn plan_rebuild(set: &MigrationSet, history: &History) -> Result<Plan> {
    let mut errors = Vec::new();
    let mut steps = Vec::new();
    for entry in compare(set, history).into_iter().rev() {
        match (entry.kind, entry.standing) {
            (Kind::Repeatable, _) if entry.row.is_none() => {}
            (Kind::Repeatable, _) => {
                steps.push(Step::new(repair::migration(&entry), Action::DeleteRow))
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
                    None => errors.push(not_rebuilt(&entry, "has no undo script")),
                }
            }
            (
                _,
                MigrationStatus::Pending | MigrationStatus::OutOfOrder | MigrationStatus::Ignored,
            ) => {}
            (_, standing) => {
                errors.push(not_rebuilt(&entry, &format!("is {}", standing.as_str())));
            }
        }
    }
    if let Some(error) = Error::combine(errors) {
        return Err(error);
    }
    steps.extend(plan::plan(set, &History::default(), &PlanOptions::default())?.steps);
    Ok(Plan {
        steps,
        ..Plan::default()
    })
}

fn not_rebuilt(entry: &MigrationEntry, what: &str) -> Error {
    let version = entry
        .version
        .as_ref()
        .map_or_else(|| entry.name.clone(), ToString::to_string);
    Error::new(
        ErrorKind::Diverged,
        format!(
            "the {} migration {version} {what}; nothing was undone",
            entry.kind
        ),
    )
    .with_hint("a rebuild needs every migration finished, with its file and its undo script")
}

#[cfg(test)]
mod tests {
    use super::super::sample::{actions, row};
    use super::*;
    use crate::HistoryRow;

    #[test]
    fn a_rebuild_undoes_the_newest_first_and_applies_the_oldest_first() {
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
        let rebuild = plan_rebuild(&set, &History { rows }).unwrap();
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
            let error = plan_rebuild(&set, &History { rows }).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Diverged);
        }
        let rows = vec![applied("1"), applied("2"), applied("3")];
        let ahead = plan_rebuild(&set, &History { rows }).unwrap_err();
        assert!(ahead.message().contains("3 is future"), "{ahead}");
        let bare = MigrationSet::from_texts([("V1__x.sql", "a")]).unwrap();
        let rows = vec![applied("1")];
        let error = plan_rebuild(&bare, &History { rows }).unwrap_err();
        assert!(error.message().contains("no undo script"), "{error}");
    }

    #[test]
    fn a_baseline_marks_an_empty_history_once() {
        let version: Version = "7".parse().unwrap();
        let baseline = |files: &[(&str, &str)], rows: &[HistoryRow], version| {
            let set = MigrationSet::from_texts(files.iter().copied()).unwrap();
            let rows = rows.to_vec();
            plan_baseline(&set, &History { rows }, version)
        };
        let plan = baseline(&[], &[], Some(&version)).unwrap();
        assert_eq!(actions(&plan), [("7".into(), Action::MarkApplied)]);
        let plan = baseline(&[("B7__start.sql", "a")], &[], Some(&version)).unwrap();
        assert_eq!(actions(&plan), [("7".into(), Action::MarkApplied)]);
        assert_eq!(plan.steps[0].migration.file(), "B7__start.sql");
        let marked = HistoryRow {
            kind: Kind::Baseline,
            ..row("7", State::Applied, "")
        };
        assert!(baseline(&[], &[marked], Some(&version)).unwrap().is_empty());
        let used = row("1", State::Applied, "");
        let kind = |plan: Result<Plan>| plan.unwrap_err().kind();
        assert_eq!(
            kind(baseline(&[], &[used], Some(&version))),
            ErrorKind::Diverged
        );
        assert_eq!(kind(baseline(&[], &[], None)), ErrorKind::InvalidConfig);
    }
}
