//! Contradictions between files and history.

use super::{THREE_MIGRATIONS, assert_states, sandbox, up};

#[test]
fn changed_checksum_is_reported_with_both_sums() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    up(&sandbox);
    sandbox.write_migration("V2__orders.sql", "CREATE TABLE orders (id TEXT);\n");
    for command in ["up", "check", "plan", "wait", "validate"] {
        let error = sandbox.expect_failure(
            &[command],
            4,
            &[
                "version 2 (orders) changed after it was applied",
                "V2__orders.sql",
                "checksum applied: ",
            ],
        );
        assert_eq!(error["kind"], "diverged");
        assert_eq!(
            error["context"]["checksum_applied"].as_str().unwrap().len(),
            64
        );
        assert_ne!(
            error["context"]["checksum_applied"],
            error["context"]["checksum_file"]
        );
    }
    assert_states(
        &sandbox,
        &[("1", "applied"), ("2", "diverged"), ("3", "applied")],
    );
    assert_eq!(sandbox.run_json(&["status"]).1["outcome"], "diverged");
}

#[test]
fn line_ends_do_not_change_checksum() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    up(&sandbox);
    sandbox.write_migration("V1__users.sql", THREE_MIGRATIONS[0].1.replace('\n', "\r\n"));
    up(&sandbox);
}

#[test]
fn applied_version_without_file_is_reported() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    up(&sandbox);
    sandbox.remove("migrations/V1__users.sql");
    sandbox.expect_failure(
        &["up"],
        4,
        &["version 1 (users) is applied and has no file"],
    );
    assert_states(
        &sandbox,
        &[("1", "missing"), ("2", "applied"), ("3", "applied")],
    );
}

#[test]
fn all_contradictions_are_reported_together() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    up(&sandbox);
    sandbox.remove("migrations/V1__users.sql");
    sandbox.write_migration("V2__orders.sql", "");
    let error = sandbox.expect_failure(
        &["check"],
        4,
        &["has no file", "changed after it was applied"],
    );
    assert_eq!(error["related"].as_array().unwrap().len(), 1);
}

#[test]
fn database_ahead_of_files_fails_only_with_strict() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    up(&sandbox);
    sandbox.remove("migrations/V3__names.sql");
    let call = sandbox.run(&["up"]).expect_success();
    assert!(
        call.out.contains("the database is ahead: version 3"),
        "{call:?}"
    );
    let (code, object) = sandbox.run_json(&["check"]);
    assert_eq!((code, &object["future"]), (0, &serde_json::json!(["3"])));
    assert_states(
        &sandbox,
        &[("1", "applied"), ("2", "applied"), ("3", "future")],
    );
    for command in ["up", "check"] {
        sandbox.expect_failure(&[command, "--strict"], 4, &["the database is ahead"]);
    }
    let call = sandbox.run_with(&[("LOCKAGE_STRICT", "true")], &["up"]);
    assert_eq!(call.code, 4, "{call:?}");
}

#[test]
fn older_pending_version_needs_out_of_order() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    sandbox.remove("migrations/V2__orders.sql");
    up(&sandbox);
    sandbox.write_migration(THREE_MIGRATIONS[1].0, THREE_MIGRATIONS[1].1);
    let error = sandbox.expect_failure(
        &["up"],
        4,
        &[
            "older than a version that is already applied",
            "--out-of-order",
        ],
    );
    assert_eq!(error["kind"], "diverged");
    assert_states(
        &sandbox,
        &[("1", "applied"), ("2", "out of order"), ("3", "applied")],
    );
    let call = sandbox.run(&["up", "--out-of-order"]).expect_success();
    assert!(call.out.starts_with("1 migration applied"), "{call:?}");
    up(&sandbox);
}
