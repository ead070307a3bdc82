//! Files and history that contradict each other.

use super::{THREE, assert_states, sandbox, up};

#[test]
fn a_changed_checksum_is_refused_with_both_sums() {
    let sandbox = sandbox(&THREE);
    up(&sandbox);
    sandbox.migration("V2__orders.sql", "CREATE TABLE orders (id TEXT);\n");
    for command in ["up", "check", "plan", "wait", "validate"] {
        let error = sandbox.fails(
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
    assert_eq!(sandbox.json(&["status"]).1["outcome"], "diverged");
}

#[test]
fn line_ends_do_not_change_a_checksum() {
    let sandbox = sandbox(&THREE);
    up(&sandbox);
    sandbox.migration("V1__users.sql", THREE[0].1.replace('\n', "\r\n"));
    up(&sandbox);
}

#[test]
fn an_applied_version_without_its_file_is_refused() {
    let sandbox = sandbox(&THREE);
    up(&sandbox);
    sandbox.remove("migrations/V1__users.sql");
    sandbox.fails(
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
fn all_contradictions_are_told_at_once() {
    let sandbox = sandbox(&THREE);
    up(&sandbox);
    sandbox.remove("migrations/V1__users.sql");
    sandbox.migration("V2__orders.sql", "");
    let error = sandbox.fails(
        &["check"],
        4,
        &["has no file", "changed after it was applied"],
    );
    assert_eq!(error["related"].as_array().unwrap().len(), 1);
}

#[test]
fn a_database_ahead_of_the_files_is_fine_unless_strict() {
    let sandbox = sandbox(&THREE);
    up(&sandbox);
    sandbox.remove("migrations/V3__names.sql");
    let call = sandbox.run(&["up"]).succeeds();
    assert!(
        call.out.contains("the database is ahead: version 3"),
        "{call:?}"
    );
    let (code, object) = sandbox.json(&["check"]);
    assert_eq!((code, &object["future"]), (0, &serde_json::json!(["3"])));
    assert_states(
        &sandbox,
        &[("1", "applied"), ("2", "applied"), ("3", "future")],
    );
    for command in ["up", "check"] {
        sandbox.fails(&[command, "--strict"], 4, &["the database is ahead"]);
    }
    let call = sandbox.run_with(&[("LOCKAGE_STRICT", "true")], &["up"]);
    assert_eq!(call.code, 4, "{call:?}");
}

#[test]
fn an_older_version_needs_out_of_order() {
    let sandbox = sandbox(&THREE);
    sandbox.remove("migrations/V2__orders.sql");
    up(&sandbox);
    sandbox.migration(THREE[1].0, THREE[1].1);
    let error = sandbox.fails(
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
    let call = sandbox.run(&["up", "--out-of-order"]).succeeds();
    assert!(call.out.starts_with("1 migration applied"), "{call:?}");
    up(&sandbox);
}
