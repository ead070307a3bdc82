//! What the program says in situations that are easy to misread.

use super::{sandbox, up};

#[test]
fn two_sets_in_one_history_are_named_and_repair_needs_force() {
    let sandbox = sandbox(&[("V1__users.sql", "CREATE TABLE users (id int);\n")]);
    up(&sandbox);
    sandbox.remove("migrations/V1__users.sql");
    sandbox.write_migration("V1__orders.sql", "CREATE TABLE orders (id int);\n");
    let parts = [
        "is `users` and in the files `orders`",
        "two sets",
        "history_table",
    ];
    sandbox.expect_failure(&["up"], 4, &parts);
    let error = sandbox.expect_failure(&["repair", "--yes"], 4, &["two sets", "--force"]);
    assert_eq!(error["kind"], "diverged");
    sandbox.expect_failure(&["up"], 4, &["two sets"]);
    sandbox
        .run(&["repair", "--yes", "--force"])
        .expect_success();
    up(&sandbox);
}

#[test]
fn changed_file_of_the_same_name_is_not_another_set() {
    let sandbox = sandbox(&[("V1__users.sql", "CREATE TABLE users (id int);\n")]);
    up(&sandbox);
    sandbox.write_migration("V1__users.sql", "CREATE TABLE users (id bigint);\n");
    sandbox.expect_failure(
        &["up"],
        4,
        &["version 1 (users) changed after it was applied"],
    );
    sandbox.run(&["repair", "--yes"]).expect_success();
}

#[test]
fn check_shows_how_far_a_failed_migration_got() {
    let sandbox = sandbox(&[(
        "V1__a.sql",
        "-- lockage: no-transaction\nCREATE TABLE a (id int);\nSELECT nope();\n",
    )]);
    assert_eq!(sandbox.run(&["up"]).code, 1);
    let call = sandbox.run(&["check"]);
    assert_eq!(call.code, 3, "{call:?}");
    assert!(
        call.out.contains("failed after 1 of 2 statements"),
        "{call:?}"
    );
    let status = sandbox.run(&["status"]).expect_success();
    assert!(
        status.out.ends_with("\n1 migration: 1 failed\n"),
        "{status:?}"
    );
}

#[test]
fn first_run_on_a_database_with_tables_hints_at_baseline() {
    let sandbox = sandbox(&[("V1__a.sql", "CREATE TABLE a (id int);\n")]);
    let client = rusqlite::Connection::open(sandbox.path("app.db")).unwrap();
    client.execute_batch("CREATE TABLE a (id int);").unwrap();
    sandbox.expect_failure(&["up"], 1, &["already exists", "lockage baseline --at"]);
    client.execute_batch("DROP TABLE a;").unwrap();
    up(&sandbox);
    client.execute_batch("CREATE TABLE b (id int);").unwrap();
    sandbox.write_migration("V2__b.sql", "CREATE TABLE b (id int);\n");
    let call = sandbox.run(&["up"]);
    assert!(!call.err.contains("baseline"), "{call:?}");
}

#[test]
fn baseline_of_a_version_without_file_is_refused() {
    let sandbox = sandbox(&[("V1__a.sql", "CREATE TABLE a (id int);\n")]);
    let parts = ["no migration has the version 7", "the newest is 1"];
    sandbox.expect_failure(&["baseline", "--at", "7"], 2, &parts);
    sandbox.run(&["baseline", "--at", "1"]).expect_success();
}
