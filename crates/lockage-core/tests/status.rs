//! Where migrations stand, case by case.

mod ledger;

use ledger::surveyed;

#[track_caller]
fn stand(files: &str, rows: &str, expected: &str) {
    assert_eq!(
        surveyed(files, rows),
        expected,
        "files {files}, history {rows}"
    );
}

#[test]
fn a_row_decides_where_its_file_stands() {
    stand("V1", "", "V1 pending");
    stand("V1", "V1 applied", "V1 applied");
    stand("V1", "V1 applied!", "V1 diverged");
    stand("V1", "V1 undone", "V1 pending");
    stand("V1", "V1 undone!", "V1 pending");
    stand("V1", "V1 strange", "V1 unknown");
    // What is half done is resumed, whatever its file has become.
    for state in ["running", "failed"] {
        stand("V1", &format!("V1 {state}"), &format!("V1 {state}"));
        stand("V1", &format!("V1 {state}!"), &format!("V1 {state}"));
        stand("R:a", &format!("R:a {state}!"), &format!("R:a {state}"));
    }
}

#[test]
fn repeatable_migrations_come_last_and_again_when_they_change() {
    stand(
        "R:b R:a V2 V10",
        "",
        "V2 pending, V10 pending, R:a pending, R:b pending",
    );
    stand(
        "R:a R:b",
        "R:a applied, R:b applied!",
        "R:a applied, R:b pending",
    );
    stand(
        "R:a",
        "R:a applied, R:old applied",
        "R:a applied, R:old missing",
    );
}

#[test]
fn a_spelling_is_no_version_of_its_own() {
    stand("V001", "V1 applied!", "V001 diverged");
    stand("V1.0", "V1 running", "V1.0 running");
    // In one spelling undone or failed, in the other applied: in either order, it is applied.
    for state in ["undone", "failed"] {
        stand("V1.0", &format!("V1 {state}, V1.0 applied"), "V1.0 applied");
        stand("V1.0", &format!("V1.0 applied, V1 {state}"), "V1.0 applied");
    }
}

#[test]
fn what_is_older_than_the_newest_row_is_out_of_order() {
    stand(
        "V1 V2 V3",
        "V2 applied",
        "V1 out of order, V2 applied, V3 pending",
    );
    stand("V1 V2", "V2 failed", "V1 out of order, V2 failed");
    stand("V1 V2", "V2 undone", "V1 pending, V2 pending");
    stand("V1", "V9 applied", "V1 out of order, V9 future");
    stand("V1", "R:a applied", "V1 pending, R:a missing");
}

#[test]
fn a_row_without_a_file_is_missing_or_of_the_future() {
    stand(
        "V1 V3",
        "V1 applied, V2 applied, V3 applied",
        "V1 applied, V2 missing, V3 applied",
    );
    stand(
        "V1 V3",
        "V1 applied, V2 failed, V3 applied",
        "V1 applied, V2 missing, V3 applied",
    );
    stand("V1", "V1 applied, V2 undone", "V1 applied");
    stand("R:a", "V1 applied, R:a applied", "V1 future, R:a applied");
    // A newer program is at work on this database; an older one may start meanwhile.
    for state in ["applied", "running", "failed", "strange"] {
        stand(
            "V1",
            &format!("V1 applied, V2 {state}"),
            "V1 applied, V2 future",
        );
        stand(
            "V1",
            &format!("V1 applied, B2 {state}"),
            "V1 applied, B2 future",
        );
    }
}

#[test]
fn a_fresh_database_starts_at_the_newest_baseline() {
    stand(
        "V1 V2 B2 V3",
        "",
        "V1 ignored, V2 ignored, B2 pending, V3 pending",
    );
    stand("V1 B2 B4 V5", "", "V1 ignored, B4 pending, V5 pending");
    stand("V1 B2", "V1 undone", "V1 ignored, B2 pending");
    stand(
        "V1 B2",
        "R:a applied",
        "V1 ignored, B2 pending, R:a missing",
    );
}

#[test]
fn a_baseline_in_hand_covers_what_it_will_cover_when_it_is_done() {
    for state in ["running", "failed"] {
        stand(
            "V1 V2 B2 V3",
            &format!("B2 {state}"),
            &format!("V1 ignored, V2 ignored, B2 {state}, V3 pending"),
        );
        stand(
            "V1 V3",
            &format!("B2 {state}"),
            "V1 ignored, B2 missing, V3 pending",
        );
    }
}

#[test]
fn a_database_that_started_at_a_baseline_keeps_it() {
    let rows = "B2 applied, V3 applied";
    stand(
        "V1 V2 B2 V3",
        rows,
        "V1 ignored, V2 ignored, B2 applied, V3 applied",
    );
    stand(
        "V1 V2 V3",
        rows,
        "V1 ignored, V2 ignored, B2 applied, V3 applied",
    );
    stand(
        "B2 V3",
        "B2 applied!, V3 applied",
        "B2 diverged, V3 applied",
    );
    stand("B2 V3 B4 V5", rows, "B2 applied, V3 applied, V5 pending");
    stand(
        "V1 V3",
        "V1 applied, B2 applied",
        "V1 applied, B2 applied, V3 pending",
    );
    stand(
        "V3",
        "V1 applied, B2 applied",
        "V1 ignored, B2 applied, V3 pending",
    );
}

#[test]
fn a_database_that_is_under_way_has_no_use_for_a_baseline() {
    stand(
        "V1 V2 B2 V3",
        "V1 applied",
        "V1 applied, V2 pending, V3 pending",
    );
    stand(
        "V1 V2 B2",
        "V1 applied, V2 applied",
        "V1 applied, V2 applied",
    );
}

#[test]
fn files_that_a_baseline_replaced_may_go_once_their_version_was_reached() {
    stand(
        "B2 V3",
        "V1 applied, V2 applied",
        "V1 ignored, V2 ignored, V3 pending",
    );
    stand(
        "V2 B2 V3",
        "V1 applied, V2 applied",
        "V1 ignored, V2 applied, V3 pending",
    );
    // Undone since, and to be done again.
    stand(
        "V2 B2 V3",
        "V1 applied, V2 undone",
        "V1 ignored, V2 pending, V3 pending",
    );
    // Not reached, or not any more: version 2 cannot be made up for.
    stand("B2 V3", "V1 applied, V2 undone", "V1 missing, V3 pending");
    stand("B2 V3", "V1 applied", "V1 missing, V3 pending");
    stand(
        "B2 V3",
        "V1 applied, V2 failed",
        "V1 missing, V2 missing, V3 pending",
    );
}
