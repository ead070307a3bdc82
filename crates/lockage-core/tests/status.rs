//! The status of migrations, case by case.

mod history_notation;

use history_notation::compare_text;

#[track_caller]
fn assert_status(files: &str, rows: &str, expected: &str) {
    assert_eq!(
        compare_text(files, rows),
        expected,
        "files {files}, history {rows}"
    );
}

#[test]
fn row_state_determines_status() {
    assert_status("V1", "", "V1 pending");
    assert_status("V1", "V1 applied", "V1 applied");
    assert_status("V1", "V1 applied!", "V1 diverged");
    assert_status("V1", "V1 undone", "V1 pending");
    assert_status("V1", "V1 undone!", "V1 pending");
    assert_status("V1", "V1 strange", "V1 unknown");
    // An unfinished migration is resumed, even if its file changed.
    for state in ["running", "failed"] {
        assert_status("V1", &format!("V1 {state}"), &format!("V1 {state}"));
        assert_status("V1", &format!("V1 {state}!"), &format!("V1 {state}"));
        assert_status("R:a", &format!("R:a {state}!"), &format!("R:a {state}"));
    }
}

#[test]
fn changed_repeatable_migration_is_pending_again() {
    assert_status(
        "R:b R:a V2 V10",
        "",
        "V2 pending, V10 pending, R:a pending, R:b pending",
    );
    assert_status(
        "R:a R:b",
        "R:a applied, R:b applied!",
        "R:a applied, R:b pending",
    );
    assert_status(
        "R:a",
        "R:a applied, R:old applied",
        "R:a applied, R:old missing",
    );
}

#[test]
fn version_spellings_are_equal() {
    assert_status("V001", "V1 applied!", "V001 diverged");
    assert_status("V1.0", "V1 running", "V1.0 running");
    // A version with two rows is applied if one of them is, in any order.
    for state in ["undone", "failed"] {
        assert_status("V1.0", &format!("V1 {state}, V1.0 applied"), "V1.0 applied");
        assert_status("V1.0", &format!("V1.0 applied, V1 {state}"), "V1.0 applied");
    }
}

#[test]
fn file_older_than_newest_row_is_out_of_order() {
    assert_status(
        "V1 V2 V3",
        "V2 applied",
        "V1 out of order, V2 applied, V3 pending",
    );
    assert_status("V1 V2", "V2 failed", "V1 out of order, V2 failed");
    assert_status("V1 V2", "V2 undone", "V1 pending, V2 pending");
    assert_status("V1", "V9 applied", "V1 out of order, V9 future");
    assert_status("V1", "R:a applied", "V1 pending, R:a missing");
}

#[test]
fn row_without_file_is_missing_or_future() {
    assert_status(
        "V1 V3",
        "V1 applied, V2 applied, V3 applied",
        "V1 applied, V2 missing, V3 applied",
    );
    assert_status(
        "V1 V3",
        "V1 applied, V2 failed, V3 applied",
        "V1 applied, V2 missing, V3 applied",
    );
    assert_status("V1", "V1 applied, V2 undone", "V1 applied");
    assert_status("R:a", "V1 applied, R:a applied", "V1 future, R:a applied");
    // A newer program migrates this database. An older program can start meanwhile.
    for state in ["applied", "running", "failed", "strange"] {
        assert_status(
            "V1",
            &format!("V1 applied, V2 {state}"),
            "V1 applied, V2 future",
        );
        assert_status(
            "V1",
            &format!("V1 applied, B2 {state}"),
            "V1 applied, B2 future",
        );
    }
}

#[test]
fn new_database_starts_at_newest_baseline() {
    assert_status(
        "V1 V2 B2 V3",
        "",
        "V1 ignored, V2 ignored, B2 pending, V3 pending",
    );
    assert_status("V1 B2 B4 V5", "", "V1 ignored, B4 pending, V5 pending");
    assert_status("V1 B2", "V1 undone", "V1 ignored, B2 pending");
    assert_status(
        "V1 B2",
        "R:a applied",
        "V1 ignored, B2 pending, R:a missing",
    );
}

#[test]
fn running_baseline_covers_older_versions() {
    for state in ["running", "failed"] {
        assert_status(
            "V1 V2 B2 V3",
            &format!("B2 {state}"),
            &format!("V1 ignored, V2 ignored, B2 {state}, V3 pending"),
        );
        assert_status(
            "V1 V3",
            &format!("B2 {state}"),
            "V1 ignored, B2 missing, V3 pending",
        );
    }
}

#[test]
fn applied_baseline_is_kept() {
    let rows = "B2 applied, V3 applied";
    assert_status(
        "V1 V2 B2 V3",
        rows,
        "V1 ignored, V2 ignored, B2 applied, V3 applied",
    );
    assert_status(
        "V1 V2 V3",
        rows,
        "V1 ignored, V2 ignored, B2 applied, V3 applied",
    );
    assert_status(
        "B2 V3",
        "B2 applied!, V3 applied",
        "B2 diverged, V3 applied",
    );
    assert_status("B2 V3 B4 V5", rows, "B2 applied, V3 applied, V5 pending");
    assert_status(
        "V1 V3",
        "V1 applied, B2 applied",
        "V1 applied, B2 applied, V3 pending",
    );
    assert_status(
        "V3",
        "V1 applied, B2 applied",
        "V1 ignored, B2 applied, V3 pending",
    );
}

#[test]
fn migrated_database_ignores_baseline() {
    assert_status(
        "V1 V2 B2 V3",
        "V1 applied",
        "V1 applied, V2 pending, V3 pending",
    );
    assert_status(
        "V1 V2 B2",
        "V1 applied, V2 applied",
        "V1 applied, V2 applied",
    );
}

#[test]
fn superseded_files_may_be_deleted_after_baseline() {
    assert_status(
        "B2 V3",
        "V1 applied, V2 applied",
        "V1 ignored, V2 ignored, V3 pending",
    );
    assert_status(
        "V2 B2 V3",
        "V1 applied, V2 applied",
        "V1 ignored, V2 applied, V3 pending",
    );
    // Undone, so it is applied again.
    assert_status(
        "V2 B2 V3",
        "V1 applied, V2 undone",
        "V1 ignored, V2 pending, V3 pending",
    );
    // The version of the baseline is not reached, or was undone, so version 2 would be missing.
    assert_status("B2 V3", "V1 applied, V2 undone", "V1 missing, V3 pending");
    assert_status("B2 V3", "V1 applied", "V1 missing, V3 pending");
    assert_status(
        "B2 V3",
        "V1 applied, V2 failed",
        "V1 missing, V2 missing, V3 pending",
    );
}
