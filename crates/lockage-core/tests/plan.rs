//! Plans, case by case.

mod history_notation;

use history_notation::{history, messages, options, planned, set, steps};
use lockage_core::plan::{plan_down, plan_up};
use lockage_core::{Action, ErrorKind, History, MigrationSet, PlanOptions, Version};

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

#[track_caller]
fn runs(files: &str, rows: &str, expected: &str) {
    assert_eq!(
        planned(files, rows, &PlanOptions::default()),
        expected,
        "files {files}, history {rows}"
    );
}

#[track_caller]
fn runs_with(change: impl FnOnce(&mut PlanOptions), files: &str, rows: &str, expected: &str) {
    assert_eq!(
        planned(files, rows, &options(change)),
        expected,
        "files {files}, history {rows}"
    );
}

#[test]
fn pending_migrations_run_in_order() {
    runs("R:a V10 V9 V1.10 V1.9 U9", "", "V1.9 V1.10 V9 V10 R:a");
    runs("V1 V2", "V1 applied", "V2");
    runs("V1 V2", "V1 applied, V2 applied", "");
    runs("V1 V2", "V1 undone, V2 undone", "V1 V2");
    runs("V1 V2", "V1 failed!", "V1 V2");
    runs("V1 V2", "V1 running", "V1 V2");
    let set = set("V1 R:a");
    let plan = plan_up(&set, &history(&set, ""), &PlanOptions::default()).unwrap();
    assert!(plan.steps.iter().all(|step| step.action == Action::Apply));
}

#[test]
fn target_version_is_not_exceeded() {
    let to = |text| move |options: &mut PlanOptions| options.to = Some(version(text));
    runs_with(to("2"), "V1 V2 V3 R:a", "", "V1 V2");
    runs_with(to("3"), "V1 V2 V3 R:a", "", "V1 V2 V3 R:a");
    runs_with(to("2.0"), "V1 V2 V3", "V1 applied", "V2");
    runs_with(to("1"), "V1 V2", "V1 applied, V2 applied", "");
    // The target can be a row without a file.
    runs_with(to("9"), "V1", "V1 applied, V9 applied", "");
    runs_with(to("4"), "V1 V5", "", "no migration has the version 4");
    // A run with the target 2 does not start at the baseline 3.
    runs_with(to("2"), "V1 V2 B3 V4", "", "V1 V2");
    runs_with(to("3"), "V1 V2 B3 V4", "", "B3");
    runs_with(to("2"), "V1 V2 B3 V4", "B3 failed", "");
}

#[test]
fn step_limit_is_not_exceeded() {
    let by = |steps| move |options: &mut PlanOptions| options.steps = Some(steps);
    runs_with(by(2), "V1 V2 V3 R:a", "", "V1 V2");
    runs_with(by(9), "V1 V2 R:a R:b", "", "V1 V2 R:a R:b");
    runs_with(by(1), "V1 R:a R:b", "V1 applied", "R:a");
    runs_with(by(0), "V1", "", "");
    let both = |options: &mut PlanOptions| {
        options.to = Some(version("2"));
        options.steps = Some(3);
    };
    runs_with(both, "V1 V2 V3 R:a", "", "V1 V2");
}

#[test]
fn out_of_order_is_an_error_unless_allowed() {
    let rows = "V1 applied, V4 applied";
    runs(
        "V1 V2 V3 V4 V5",
        rows,
        "version 2 (m) is older than a version that is already applied; \
         version 3 (m) is older than a version that is already applied",
    );
    runs_with(
        |options| options.out_of_order = true,
        "V1 V2 V3 V4 V5",
        rows,
        "V2 V3 V5",
    );
}

#[test]
fn baseline_applies_only_to_new_database() {
    runs("V1 V2 B2 V3 R:a", "", "B2 V3 R:a");
    runs("V1 B2 B4 V5", "", "B4 V5");
    runs("V1 V2 B2 V3", "V1 applied", "V2 V3");
    runs("V1 V2 B2 V3", "B2 applied", "V3");
    runs("V1 V2 B2 V3", "B2 failed", "B2 V3");
    runs("V1 V2 B2 V3", "B2 running!", "B2 V3");
    runs("B2 V3", "V1 applied, V2 applied", "V3");
    runs(
        "B2 V3",
        "V1 applied",
        "version 1 (m) is applied and has no file",
    );
    runs(
        "V3",
        "B2 failed",
        "version 2 (m) is not finished and has no file",
    );
    runs(
        "B2",
        "B2 applied!",
        "version 2 (m) changed after it was applied",
    );
}

#[test]
fn repeatable_migrations_follow_last_versioned_one() {
    runs("V1 R:b R:a", "V1 applied, R:a applied, R:b applied!", "R:b");
    runs("V1 R:a", "V1 applied, R:a failed", "R:a");
    runs("V1 V2 R:a", "V1 applied, R:a applied!", "V2 R:a");
    runs("V1", "V1 applied, R:gone applied", "");
}

#[test]
fn database_ahead_is_an_error_only_if_strict() {
    let rows = "V1 applied, V2 applied, V2.5 running, V3 undone";
    let set = set("V1");
    let ahead = plan_up(&set, &history(&set, rows), &PlanOptions::default()).unwrap();
    assert!(ahead.is_empty());
    assert_eq!(ahead.ahead, ["2", "2.5"]);
    runs_with(
        |options| options.strict = true,
        "V1",
        rows,
        "version 2 (m) is newer than every file: the database is ahead; \
         version 2.5 (m) is newer than every file: the database is ahead",
    );
}

#[test]
fn all_contradictions_are_reported() {
    let files = set("V1 V2 V4 V5 R:a");
    let rows = history(
        &files,
        "V1 applied!, V3 applied, V4 applied!, V5 sealed, R:a odd",
    );
    let error = plan_up(&files, &rows, &PlanOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged);
    assert_eq!(
        messages(&error),
        [
            "version 1 (m) changed after it was applied",
            "version 2 (m) is older than a version that is already applied",
            "version 3 (m) is applied and has no file",
            "version 4 (m) changed after it was applied",
            "version 5 (m) is in the state `sealed`, which a newer version of Lockage wrote",
            "the repeatable migration `a` is in the state `odd`, which a newer version of Lockage wrote",
        ]
    );
    let context: Vec<_> = error.context().collect();
    let sum = files.iter().next().unwrap().checksum().to_string();
    assert_eq!(
        context,
        [
            ("checksum_applied", "of another text"),
            ("checksum_file", sum.as_str())
        ]
    );
    assert_eq!(error.location().unwrap().file, "V1__m.sql");
    assert!(error.hint().unwrap().contains("lockage repair"));
    assert!(error.related().iter().all(|error| error.hint().is_some()));
}

#[track_caller]
fn undoes(change: impl FnOnce(&mut PlanOptions), files: &str, rows: &str, expected: &str) {
    let set = set(files);
    let found = match plan_down(&set, &history(&set, rows), &options(change)) {
        Ok(plan) => {
            assert!(plan.steps.iter().all(|step| step.action == Action::Undo));
            steps(&plan)
        }
        Err(error) => messages(&error).join("; "),
    };
    assert_eq!(found, expected, "files {files}, history {rows}");
}

#[test]
fn down_undoes_newest_first() {
    let all = "V1 U1 V2 U2 V3 U3 R:a";
    let rows = "V1 applied, V2 applied, V3 applied, R:a applied";
    undoes(|_| (), all, rows, "U3");
    undoes(|options| options.steps = Some(2), all, rows, "U3 U2");
    undoes(
        |options| options.to = Some(version("1")),
        all,
        rows,
        "U3 U2",
    );
    undoes(
        |options| options.to = Some(version("0")),
        all,
        rows,
        "U3 U2 U1",
    );
    undoes(|options| options.to = Some(version("3")), all, rows, "");
    undoes(|_| (), all, "V1 applied, V2 applied, V3 undone", "U2");
    undoes(|_| (), all, "", "");
    let both = |options: &mut PlanOptions| {
        options.to = Some(version("1"));
        options.steps = Some(1);
    };
    undoes(both, all, rows, "U3");
}

#[test]
fn down_stops_at_a_baseline() {
    let to_nothing = |options: &mut PlanOptions| options.to = Some(version("0"));
    undoes(to_nothing, "V2 U2 B2 V3 U3", "B2 applied, V3 applied", "U3");
}

#[test]
fn down_fails_before_undoing_anything() {
    let to_nothing = |options: &mut PlanOptions| options.to = Some(version("0"));
    undoes(
        to_nothing,
        "V1 V2 U2 V3",
        "V1 applied, V2 applied, V3 applied",
        "version 3 has no undo script; nothing was undone; version 1 has no undo script; nothing was undone",
    );
    let files = "V1 U1 V2 U2";
    for (rows, expected) in [
        (
            "V1 applied, V2 applied!",
            "version 2 (m) changed after it was applied",
        ),
        ("V1 applied, V2 failed", "version 2 is not finished"),
        ("V1 applied, V2 running!", "version 2 is not finished"),
        (
            "V1 applied, V1.5 applied",
            "version 1.5 (m) is applied and has no file",
        ),
        (
            "V1 applied, V3 applied",
            "version 3 is newer than every file: the database is ahead",
        ),
        (
            "V1 applied, V2 odd",
            "version 2 (m) is in the state `odd`, which a newer version of Lockage wrote",
        ),
    ] {
        undoes(|_| (), files, rows, expected);
    }
    undoes(
        to_nothing,
        "V2 U2",
        "V1 applied, V2 applied",
        "version 1 (m) is applied and has no file",
    );
    undoes(to_nothing, files, "V2 failed", "version 2 is not finished");
    // A problem below the last undone version does not block the undo.
    undoes(|_| (), files, "V1 applied!, V2 applied", "U2");
}

#[test]
fn partly_undone_migration_blocks_up_and_is_finished_by_down() {
    let set = set("V1 U1 V2 U2");
    let history = history(&set, "V1 applied, V2 undoing");
    let up = plan_up(&set, &history, &PlanOptions::default()).unwrap_err();
    assert_eq!(up.kind(), ErrorKind::Diverged);
    assert!(up.message().contains("partly undone"), "{up}");
    let down = plan_down(&set, &history, &PlanOptions::default()).unwrap();
    assert_eq!(down.steps.len(), 1);
    assert_eq!(down.steps[0].migration.key(), "2");
}

#[test]
fn migrations_beyond_options_are_deferred() {
    let set = set("V1 V2 V3 R:a");
    let deferred_by = |options: &PlanOptions| {
        let plan = plan_up(&set, &History::default(), options).unwrap();
        let keys: Vec<String> = plan
            .deferred
            .iter()
            .map(|migration| migration.key())
            .collect();
        (plan.steps.len(), keys.join(" "))
    };
    let mut options = PlanOptions::default();
    assert_eq!(deferred_by(&options), (4, String::new()));
    options.to = Some("2".parse().unwrap());
    assert_eq!(deferred_by(&options), (2, "3 R:a".into()));
    options.to = None;
    options.steps = Some(1);
    assert_eq!(deferred_by(&options), (1, "2 3 R:a".into()));
}

#[test]
fn versioned_script_without_statement_is_an_error_only_if_strict() {
    let set = MigrationSet::from_texts([("V1__a.sql", "-- nothing"), ("R__b.sql", "")]).unwrap();
    let mut options = PlanOptions::default();
    assert_eq!(
        plan_up(&set, &History::default(), &options)
            .unwrap()
            .steps
            .len(),
        2
    );
    options.strict = true;
    let error = plan_up(&set, &History::default(), &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidMigration);
    assert_eq!(error.message(), "the script contains no statement");
    assert_eq!(error.location().unwrap().file, "V1__a.sql");
    assert!(error.related().is_empty());
}
