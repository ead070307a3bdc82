use super::{THREE_MIGRATIONS, assert_states, sandbox, up};

const UNDO: [(&str, &str); 2] = [
    ("U3__names.sql", "ALTER TABLE users DROP COLUMN name;\n"),
    ("U2__orders.sql", "DROP TABLE orders;\n"),
];

#[test]
fn down_undoes_one_or_as_many_as_requested() {
    let sandbox = sandbox(&[
        THREE_MIGRATIONS[0],
        THREE_MIGRATIONS[1],
        THREE_MIGRATIONS[2],
        UNDO[0],
        UNDO[1],
    ]);
    up(&sandbox);
    let call = sandbox.run(&["down"]).expect_success();
    assert_eq!(call.out, "1 migration undone in sqlite:app.db\n");
    assert_states(
        &sandbox,
        &[("1", "applied"), ("2", "applied"), ("3", "pending")],
    );
    up(&sandbox);
    let (code, object) = sandbox.run_json(&["down", "--to", "1"]);
    assert_eq!((code, &object["outcome"]), (0, &"undone".into()));
    let versions: Vec<&str> = object["undone"]
        .as_array()
        .unwrap()
        .iter()
        .map(|undone| undone["version"].as_str().unwrap())
        .collect();
    assert_eq!(versions, ["3", "2"]);
    assert_eq!(object["applied"], serde_json::json!([]));
    assert_states(
        &sandbox,
        &[("1", "applied"), ("2", "pending"), ("3", "pending")],
    );
    let plan = sandbox.run(&["plan"]).expect_success();
    assert!(plan.out.contains("why: undone before"), "{plan:?}");
    let again = sandbox.run(&["down", "--to", "1"]).expect_success();
    assert_eq!(again.out, "nothing to undo in sqlite:app.db\n");
}

#[test]
fn missing_undo_script_fails_before_undoing() {
    let sandbox = sandbox(&[
        THREE_MIGRATIONS[0],
        THREE_MIGRATIONS[1],
        THREE_MIGRATIONS[2],
        UNDO[0],
    ]);
    up(&sandbox);
    let error = sandbox.expect_failure(
        &["down", "--steps", "2"],
        2,
        &[
            "version 2 has no undo script; nothing was undone",
            "U2__orders.sql",
        ],
    );
    assert_eq!(error["kind"], "invalid_migration");
    assert_states(
        &sandbox,
        &[("1", "applied"), ("2", "applied"), ("3", "applied")],
    );
}

#[test]
fn dry_run_of_down_shows_undo_scripts() {
    let sandbox = sandbox(&[
        THREE_MIGRATIONS[0],
        THREE_MIGRATIONS[1],
        THREE_MIGRATIONS[2],
        UNDO[0],
        UNDO[1],
    ]);
    up(&sandbox);
    let call = sandbox
        .run(&["down", "--steps", "2", "--dry-run"])
        .expect_success();
    assert!(
        call.out.contains("3 names (undo)\n  why: applied 2"),
        "{call:?}"
    );
    assert!(call.out.contains("    DROP TABLE orders\n"), "{call:?}");
    assert!(
        call.out
            .ends_with("2 migrations to undo in sqlite:app.db\n"),
        "{call:?}"
    );
    assert_states(
        &sandbox,
        &[("1", "applied"), ("2", "applied"), ("3", "applied")],
    );
}
