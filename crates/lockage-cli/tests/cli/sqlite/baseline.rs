use super::{THREE_MIGRATIONS, assert_states, sandbox, up};

#[test]
fn baseline_marks_existing_database_and_up_continues() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    let client = rusqlite::Connection::open(sandbox.path("app.db")).unwrap();
    client
        .execute_batch("CREATE TABLE users (id INTEGER PRIMARY KEY); CREATE TABLE orders (id int);")
        .unwrap();
    let (code, object) = sandbox.run_json(&["baseline", "--at", "2"]);
    assert_eq!((code, &object["outcome"]), (0, &"baselined".into()));
    assert_eq!(object["baselined"][0]["version"], "2");
    assert_eq!(object["applied"], serde_json::json!([]));
    assert_eq!(object["took_lock"], true);
    let (code, object) = sandbox.run_json(&["baseline", "--at", "2"]);
    assert_eq!((code, &object["outcome"]), (0, &"up_to_date".into()));
    assert_eq!(object["baselined"], serde_json::json!([]));
    assert_eq!(up(&sandbox).out, "1 migration applied to sqlite:app.db\n");
    let states = [
        ("1", "ignored"),
        ("2", "ignored"),
        ("2", "applied"),
        ("3", "applied"),
    ];
    assert_states(&sandbox, &states);
}

#[test]
fn baseline_mark_has_checksum_of_script() {
    let sandbox = sandbox(&[
        ("B2__start.sql", "CREATE TABLE users (id int);\n"),
        THREE_MIGRATIONS[2],
    ]);
    let call = sandbox.run(&["baseline", "--at", "2"]).expect_success();
    assert_eq!(call.out, "sqlite:app.db is marked as being at version 2\n");
    let call = sandbox.run(&["baseline", "--at", "2"]).expect_success();
    assert_eq!(
        call.out,
        "sqlite:app.db was already marked as being at version 2\n"
    );
    sandbox.run(&["validate"]).expect_success();
    assert_states(&sandbox, &[("2", "applied"), ("3", "pending")]);
}

#[test]
fn baseline_of_nonempty_history_fails() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    sandbox.run(&["up", "--to", "1"]).expect_success();
    let error = sandbox.expect_failure(
        &["baseline", "--at", "2"],
        4,
        &["the history is not empty: it has version 1 (users)"],
    );
    assert_eq!(error["kind"], "diverged");
    assert_states(
        &sandbox,
        &[("1", "applied"), ("2", "pending"), ("3", "pending")],
    );
}
