use super::{THREE, assert_states, sandbox, up};

#[test]
fn a_database_that_is_there_is_marked_and_goes_on_from_there() {
    let sandbox = sandbox(&THREE);
    let client = rusqlite::Connection::open(sandbox.path("app.db")).unwrap();
    client
        .execute_batch("CREATE TABLE users (id INTEGER PRIMARY KEY); CREATE TABLE orders (id int);")
        .unwrap();
    let (code, object) = sandbox.json(&["baseline", "--at", "2"]);
    assert_eq!((code, &object["outcome"]), (0, &"baselined".into()));
    assert_eq!(object["baselined"][0]["version"], "2");
    assert_eq!(object["applied"], serde_json::json!([]));
    assert_eq!(object["took_lock"], true);
    let (code, object) = sandbox.json(&["baseline", "--at", "2"]);
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
fn a_mark_has_its_scripts_checksum() {
    let sandbox = sandbox(&[
        ("B2__start.sql", "CREATE TABLE users (id int);\n"),
        THREE[2],
    ]);
    let call = sandbox.run(&["baseline", "--at", "2"]).succeeds();
    assert_eq!(call.out, "sqlite:app.db is marked as being at version 2\n");
    let call = sandbox.run(&["baseline", "--at", "2"]).succeeds();
    assert_eq!(
        call.out,
        "sqlite:app.db was marked as being at version 2 before\n"
    );
    sandbox.run(&["validate"]).succeeds();
    assert_states(&sandbox, &[("2", "applied"), ("3", "pending")]);
}

#[test]
fn a_history_that_is_not_empty_is_left_alone() {
    let sandbox = sandbox(&THREE);
    sandbox.run(&["up", "--to", "1"]).succeeds();
    let error = sandbox.fails(
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
