use std::sync::Arc;

use super::steps::Plan;
use crate::{
    Action, Error, ErrorKind, History, Kind, Migration, MigrationSet, Result, State, Step, Version,
};

/// Plans the mark of a version in a history without versions.
///
/// # Errors
/// [`ErrorKind::InvalidConfig`] without a version, and for a version that no file has; [`ErrorKind::Diverged`] if the history already has versions.
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
            check_version_has_file(set, version)?;
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

/// Returns an error for a version without a file. Its mark would skip migrations of other versions, and a wrong one could not
/// be noticed.
fn check_version_has_file(set: &MigrationSet, version: &Version) -> Result<()> {
    let has_file = [Kind::Versioned, Kind::Baseline]
        .into_iter()
        .any(|kind| set.find(kind, version).is_some());
    if has_file {
        return Ok(());
    }
    let versions = set
        .iter_kind(Kind::Versioned)
        .filter_map(|migration| migration.version());
    let hint = match versions.max() {
        Some(newest) => format!("use the version of a file; the newest is {newest}"),
        None => "create the migration of this version first".to_owned(),
    };
    Err(Error::new(
        ErrorKind::InvalidConfig,
        format!("no migration has the version {version}"),
    )
    .with_hint(hint))
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
        let files = [("V7__last.sql", "a")];
        let plan = baseline(&files, &[], Some(&version)).unwrap();
        assert_eq!(actions(&plan), [("7".into(), Action::MarkApplied)]);
        let plan = baseline(&[("B7__start.sql", "a")], &[], Some(&version)).unwrap();
        assert_eq!(actions(&plan), [("7".into(), Action::MarkApplied)]);
        assert_eq!(plan.steps[0].migration.file(), "B7__start.sql");
        let marked = HistoryRow {
            kind: Kind::Baseline,
            ..row("7", State::Applied, "")
        };
        assert!(baseline(&[], &[marked], Some(&version)).unwrap().is_empty());
        let wrong = "8".parse().unwrap();
        let error = baseline(&files, &[], Some(&wrong)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert_eq!(error.message(), "no migration has the version 8");
        assert_eq!(
            error.hint(),
            Some("use the version of a file; the newest is 7")
        );
        let used = row("1", State::Applied, "");
        let kind = |plan: Result<Plan>| plan.unwrap_err().kind();
        assert_eq!(
            kind(baseline(&[], &[used], Some(&version))),
            ErrorKind::Diverged
        );
        assert_eq!(kind(baseline(&[], &[], None)), ErrorKind::InvalidConfig);
    }
}
