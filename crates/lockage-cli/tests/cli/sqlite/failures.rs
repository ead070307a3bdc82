use super::{THREE_MIGRATIONS, assert_states, sandbox, up};

#[test]
fn failing_statement_is_shown_with_caret_and_rolled_back() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    sandbox.write_migration(
        "V2__orders.sql",
        "CREATE TABLE orders (id int);\nCREATE TABEL x (id int);\n",
    );
    let error = sandbox.expect_failure(
        &["up"],
        1,
        &[
            "near \"TABEL\": syntax error",
            "V2__orders.sql:2:8",
            "2 | CREATE TABEL x (id int)\n  |        ^\n",
        ],
    );
    assert_eq!(error["kind"], "migration_failed");
    assert!(error["file"].as_str().unwrap().ends_with("V2__orders.sql"));
    assert_eq!((&error["line"], &error["column"]), (&2.into(), &8.into()));
    assert_states(
        &sandbox,
        &[("1", "applied"), ("2", "pending"), ("3", "pending")],
    );
    sandbox.write_migration(THREE_MIGRATIONS[1].0, THREE_MIGRATIONS[1].1);
    assert!(up(&sandbox).out.starts_with("2 migrations applied"));
}

#[test]
fn failure_json_lists_migrations_applied_before() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    sandbox.write_migration("V3__names.sql", "INSERT INTO nowhere VALUES (1);\n");
    let (code, object) = sandbox.run_json(&["up"]);
    assert_eq!((code, &object["outcome"]), (1, &"failed".into()));
    assert_eq!(object["applied"].as_array().unwrap().len(), 2);
    assert_eq!(
        object["pending"],
        serde_json::json!([{"version": "3", "name": "names"}])
    );
    assert_eq!(object["took_lock"], true);
    assert_eq!(object["error"]["message"], "no such table: nowhere");
    let again = sandbox.run(&["up"]);
    assert_eq!(again.code, 1);
}

#[test]
fn commit_in_script_fails_before_running() {
    let sandbox = sandbox(&[
        ("V1__a.sql", "CREATE TABLE a (id int);\n"),
        ("V2__b.sql", "CREATE TABLE b (id int);\n  COMMIT;\n"),
    ]);
    for args in [
        &["up"][..],
        &["plan"],
        &["up", "--dry-run"],
        &["validate", "--offline"],
    ] {
        let error = sandbox.expect_failure(args, 2, &["COMMIT", "V2__b.sql:2:3", "no-transaction"]);
        assert_eq!(error["kind"], "invalid_migration");
    }
    assert_states(&sandbox, &[("1", "pending"), ("2", "pending")]);
}

#[test]
fn no_transaction_script_resumes_after_committed_statements() {
    let head = "-- lockage: no-transaction\nCREATE TABLE a (id int);\n";
    let sandbox = sandbox(&[(
        "V1__a.sql",
        &format!("{head}INSERT INTO nowhere VALUES (1);\n"),
    )]);
    sandbox.expect_failure(
        &["up"],
        1,
        &[
            "no such table: nowhere",
            "V1__a.sql:3:1",
            "1 of 2 statements are committed",
        ],
    );
    assert_states(&sandbox, &[("1", "failed")]);
    assert!(sandbox.run(&["status"]).out.contains("failed (1/2)"));
    sandbox.write_migration("V1__a.sql", format!("{head}INSERT INTO a VALUES (1);\n"));
    let plan = sandbox.run(&["plan"]).expect_success();
    assert!(
        plan.out
            .contains("why: failed before; 1 of 2 statements are committed"),
        "{plan:?}"
    );
    assert!(
        plan.out.contains("V1__a.sql:2 (already committed)"),
        "{plan:?}"
    );
    up(&sandbox);
    assert_states(&sandbox, &[("1", "applied")]);
}

#[test]
fn attach_error_is_a_migration_failure() {
    let sandbox = sandbox(&[(
        "V1__a.sql",
        "-- lockage: no-transaction\nATTACH 'nowhere/other.db' AS other;\n",
    )]);
    let error = sandbox.expect_failure(&["up"], 1, &["cannot open the database", "V1__a.sql:2:1"]);
    assert_eq!(error["kind"], "migration_failed");
    sandbox.write("junk.db", "x".repeat(4096));
    sandbox.write_migration(
        "V1__a.sql",
        "-- lockage: no-transaction\nATTACH 'junk.db' AS other;\nCREATE TABLE other.t (n);\n",
    );
    let error = sandbox.expect_failure(&["up"], 1, &["not an SQLite database"]);
    assert_eq!(error["kind"], "migration_failed");
}

#[test]
fn invalid_database_file_and_missing_folder_are_reported() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    sandbox.write("junk.db", "x".repeat(4096));
    let call = sandbox.run(&["up", "--url", "sqlite:junk.db"]);
    assert!(
        [1, 6].contains(&call.code) && call.err.contains("not a database"),
        "{call:?}"
    );
    let error = sandbox.expect_failure(&["up", "--url", "sqlite:nowhere/app.db"], 6, &["nowhere"]);
    assert_eq!(error["kind"], "connect");
    sandbox
        .run(&["up", "--url", "sqlite:nowhere/app.db", "--create"])
        .expect_success();
}
