//! Scripts that an earlier run did not finish.

use lockage_core::{ErrorKind, Outcome};

use crate::test_database::TestDatabase;

#[tokio::test]
async fn autocommit_statements_resume_after_failure() {
    let database = TestDatabase::new();
    let head = "-- lockage: no-transaction\nPRAGMA journal_mode = WAL;\nCREATE TABLE a (n);\nINSERT INTO a VALUES (1);\nVACUUM;\n";
    let error = database
        .runner(&[("V1__a.sql", &format!("{head}INSERT INTO b VALUES (1);\n"))])
        .up()
        .await
        .unwrap_err();
    assert_eq!(error.location().unwrap().line, Some(6));
    assert!(
        error
            .context()
            .any(|(_, text)| text == "4 of 5 statements are committed"),
        "{error:?}"
    );
    assert_eq!(
        database.text(
            "SELECT state || statements_done || '/' || statements_total FROM lockage_history"
        ),
        "Text(\"failed4/5\")"
    );
    let report = database
        .runner(&[("V1__a.sql", &format!("{head}INSERT INTO a VALUES (2);\n"))])
        .up()
        .await
        .unwrap();
    assert_eq!(report.outcome, Outcome::Applied);
    assert_eq!(
        database.text("SELECT group_concat(n) FROM a"),
        "Text(\"1,2\")"
    );
    assert_eq!(database.text("PRAGMA journal_mode"), "Text(\"wal\")");
    assert_eq!(
        database.text("SELECT count(*) FROM lockage_journal"),
        "Integer(0)"
    );
}

#[tokio::test]
async fn failed_undo_is_reported_and_resumed() {
    let database = TestDatabase::new();
    let up = ("V1__a.sql", "CREATE TABLE a (n); CREATE TABLE b (n);");
    let undo = |last: &str| format!("-- lockage: no-transaction\nDROP TABLE a;\n{last};\n");
    database.runner(&[up]).up().await.unwrap();
    let bad = undo("DROP TABLE nowhere");
    let failing = database.runner(&[up, ("U1__a.sql", &bad)]);
    failing.down().await.unwrap_err();
    let error = failing.up().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged);
    assert!(error.message().contains("partly undone"), "{error}");
    let good = undo("DROP TABLE b");
    database
        .runner(&[up, ("U1__a.sql", &good)])
        .down()
        .await
        .unwrap();
    assert_eq!(
        database.text("SELECT state FROM lockage_history"),
        "Text(\"undone\")"
    );
    assert_eq!(
        database.runner(&[up]).up().await.unwrap().outcome,
        Outcome::Applied
    );
}

#[tokio::test]
async fn session_settings_are_restored_on_resume() {
    let database = TestDatabase::new();
    let start = (
        "V1__a.sql",
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p INTEGER REFERENCES p ON DELETE CASCADE);
         INSERT INTO p VALUES (1); INSERT INTO c VALUES (1);",
    );
    let rebuild = |last: &str| {
        format!(
            "-- lockage: no-transaction\nPRAGMA foreign_keys = OFF;\nBEGIN;\nDELETE FROM p;\nINSERT INTO p VALUES (1);\n{last};\nCOMMIT;\n"
        )
    };
    let bad = rebuild("INSERT INTO nowhere VALUES (1)");
    database
        .runner(&[start, ("V2__b.sql", &bad)])
        .up()
        .await
        .unwrap_err();
    let good = rebuild("CREATE TABLE d (n)");
    database
        .runner(&[start, ("V2__b.sql", &good)])
        .up()
        .await
        .unwrap();
    assert_eq!(
        database.text("SELECT count(*) FROM c"),
        "Integer(1)",
        "the cascade must not have run"
    );
}

#[tokio::test]
async fn half_applied_script_must_keep_mode_and_statements() {
    let database = TestDatabase::new();
    let head = "-- lockage: no-transaction\n";
    let script = "CREATE TABLE a (n);\nINSERT INTO a VALUES (1);\nINSERT INTO b VALUES (1);\n";
    database
        .runner(&[("V1__a.sql", &format!("{head}{script}"))])
        .up()
        .await
        .unwrap_err();
    for changed in [
        "CREATE TABLE b (n);",
        &format!("{head}CREATE TABLE a (n);\n"),
    ] {
        let error = database
            .runner(&[("V1__a.sql", changed)])
            .up()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Diverged, "{error:?}");
    }
    assert_eq!(database.text("SELECT count(*) FROM a"), "Integer(1)");
}

#[tokio::test]
async fn blocked_commit_is_not_recorded_as_applied() {
    let database = TestDatabase::new();
    let files = [(
        "V1__a.sql",
        "-- lockage: no-transaction\n-- lockage: ddl-lock-timeout=300ms\nCREATE TABLE a (n);\nBEGIN;\nINSERT INTO a VALUES (1);\nCOMMIT;\n",
    )];
    database
        .runner(&[(
            "V0__zero.sql",
            "CREATE TABLE zero (n); INSERT INTO zero VALUES (1)",
        )])
        .up()
        .await
        .unwrap();
    // In rollback journal mode a reader that started before the script's own transaction blocks the commit.
    let reader = database.client();
    let mut files_with_zero = vec![(
        "V0__zero.sql",
        "CREATE TABLE zero (n); INSERT INTO zero VALUES (1)",
    )];
    files_with_zero.extend(files);
    reader.execute_batch("BEGIN; SELECT * FROM zero").unwrap();
    let error = database.runner(&files_with_zero).up().await.unwrap_err();
    assert!(
        error
            .report()
            .is_some_and(|report| report.applied.is_empty()),
        "{error:?}"
    );
    reader.execute_batch("COMMIT").unwrap();
    database.runner(&files_with_zero).up().await.unwrap();
    assert_eq!(
        database.text("SELECT group_concat(n) FROM a"),
        "Text(\"1\")"
    );
}

#[tokio::test]
async fn script_that_depends_on_lost_session_is_not_resumed() {
    for (made, used) in [
        (
            "CREATE TEMPORARY TABLE t AS SELECT 1 AS a",
            "INSERT INTO res SELECT a FROM t",
        ),
        (
            "CREATE TEMP VIEW IF NOT EXISTS \"T\" AS SELECT 1 AS a",
            "INSERT INTO res SELECT a FROM t",
        ),
        (
            "CREATE TABLE temp.t AS SELECT 1 AS a",
            "INSERT INTO res SELECT a FROM [t]",
        ),
        (
            "CREATE TEMP TRIGGER g AFTER INSERT ON res BEGIN SELECT 1; END",
            "INSERT INTO res VALUES (1)",
        ),
        (
            "ATTACH ':memory:' AS m; CREATE TABLE m.t AS SELECT 1 AS a",
            "INSERT INTO res SELECT a FROM m.t",
        ),
    ] {
        let database = TestDatabase::new();
        let base = (
            "V1__a.sql",
            "CREATE TABLE t (a); INSERT INTO t VALUES (10), (20), (30); CREATE TABLE res (a);",
        );
        let script =
            |middle: &str| format!("-- lockage: no-transaction\n{made};\n{middle};\n{used};\n");
        let failing = script("SELECT nope()");
        database
            .runner(&[base, ("V2__b.sql", &failing)])
            .up()
            .await
            .unwrap_err();
        let corrected = script("SELECT 1");
        let error = database
            .runner(&[base, ("V2__b.sql", &corrected)])
            .up()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Diverged, "{error:?}");
        assert!(error.message().starts_with("cannot resume"), "{error}");
        assert_eq!(error.location().unwrap().line, Some(2));
        assert_eq!(database.text("SELECT count(*) FROM res"), "Integer(0)");
        // What does not depend on it is resumed.
        let other =
            format!("-- lockage: no-transaction\n{made};\nSELECT 1;\nCREATE TABLE other (n);\n");
        database
            .runner(&[base, ("V2__b.sql", &other)])
            .up()
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn outermost_savepoint_is_a_transaction_of_the_script() {
    let database = TestDatabase::new();
    let script = |last: &str| {
        format!(
            "-- lockage: no-transaction\nCREATE TABLE a (n);\nSAVEPOINT one;\nINSERT INTO a VALUES (1);\nSAVEPOINT two;\n\
             INSERT INTO a VALUES (2);\nROLLBACK TO two;\nRELEASE two;\nINSERT INTO {last} VALUES (3);\nRELEASE one;\n"
        )
    };
    let failing = script("nowhere");
    let error = database
        .runner(&[("V1__a.sql", &failing)])
        .up()
        .await
        .unwrap_err();
    assert_eq!(error.location().unwrap().line, Some(9), "{error:?}");
    assert_eq!(database.text("SELECT count(*) FROM a"), "Integer(0)");
    let corrected = script("a");
    database
        .runner(&[("V1__a.sql", &corrected)])
        .up()
        .await
        .unwrap();
    assert_eq!(
        database.text("SELECT group_concat(n) FROM a"),
        "Text(\"1,3\")"
    );
    let open = "-- lockage: no-transaction\nSAVEPOINT one;\nINSERT INTO a VALUES (4);\n";
    let error = database
        .runner(&[("V1__a.sql", &corrected), ("V2__b.sql", open)])
        .up()
        .await
        .unwrap_err();
    assert!(error.message().contains("transaction open"), "{error}");
    assert_eq!(database.text("SELECT count(*) FROM a"), "Integer(2)");
}
