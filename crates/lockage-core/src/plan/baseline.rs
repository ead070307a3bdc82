use std::sync::Arc;

use super::steps::Plan;
use crate::{
    Action, Error, ErrorKind, History, Kind, Migration, MigrationSet, Result, State, Step, Version,
};

/// Plans the mark of a version in a history without versions.
///
/// # Errors
/// [`ErrorKind::InvalidConfig`] without a version; [`ErrorKind::Diverged`] if the history already has versions.
pub(crate) fn plan_baseline(
    set: &MigrationSet,
    history: &History,
    version: Option<&Version>,
) -> Result<Plan> {
    let version = version.ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidConfig,
            "a baseline needs the current version of the database",
        )
    })?;
    let versions: Vec<_> = history
        .rows
        .iter()
        .filter(|row| row.state != State::Undone && row.kind != Kind::Repeatable)
        .collect();
    match versions.as_slice() {
        [] => {
            // If the version has a baseline script, its row must have the checksum of that script.
            let mark = set
                .find(Kind::Baseline, version)
                .cloned()
                .unwrap_or_else(|| {
                    let version = Some(version.clone());
                    Arc::new(Migration::without_script(
                        Kind::Baseline,
                        version,
                        "baseline",
                        None,
                    ))
                });
            Ok(Plan::from_steps(vec![Step::new(mark, Action::MarkApplied)]))
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
        .with_hint("use `lockage baseline` only for a database that Lockage has never migrated")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_support::{actions, row};
    use super::*;
    use crate::HistoryRow;

    #[test]
    fn baseline_marks_version_only_in_empty_history() {
        let version: Version = "7".parse().unwrap();
        let baseline = |files: &[(&str, &str)], rows: &[HistoryRow], version| {
            let set = MigrationSet::from_texts(files.iter().copied()).unwrap();
            let rows = rows.to_vec();
            plan_baseline(&set, &History::new(rows), version)
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
