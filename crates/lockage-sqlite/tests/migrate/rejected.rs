//! Databases, options and scripts that are rejected before anything is written.

use lockage_core::{ErrorKind, LockStrategy, Outcome};

use crate::test_database::TestDatabase;

#[tokio::test]
async fn unwritable_database_fails_before_any_change() {
    let database = TestDatabase::new();
    let files = [("V1__a.sql", "CREATE TABLE a (n)")];
    database.runner(&files).up().await.unwrap();
    let more = [files[0], ("V2__b.sql", "CREATE TABLE b (n)")];
    let read_only = database.runner(&more).connect_options(|options| {
        options.url = format!("{}?mode=ro", options.url.as_secret_str())
            .parse()
            .unwrap();
    });
    assert_eq!(read_only.check().await.unwrap().outcome, Outcome::Pending);
    let error = read_only.up().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let nowhere = database
        .runner(&files)
        .connect_options(|options| options.url = "sqlite:/nowhere/at/all.db".parse().unwrap());
    let error = nowhere.up().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.hint().unwrap().contains("--create"));
    std::fs::write(
        database.folder.path().join("text.db"),
        "not a database, but as long as the header of a database file, which has a length of one hundred bytes",
    )
    .unwrap();
    let text = database.runner(&files).connect_options(|options| {
        options.url = options
            .url
            .as_secret_str()
            .replace("app.db", "text.db")
            .parse()
            .unwrap();
    });
    assert_eq!(text.up().await.unwrap_err().kind(), ErrorKind::Connect);
}

#[tokio::test]
async fn unsupported_lock_strategy_is_an_error() {
    let database = TestDatabase::new();
    let with = |strategy| {
        database
            .runner(&[("V1__a.sql", "CREATE TABLE a (n)")])
            .connect_options(|options| options.lock_strategy = strategy)
    };
    let error = with(LockStrategy::Table).up().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.message().contains("`table`"), "{error}");
    assert_eq!(database.folder.path().read_dir().unwrap().count(), 0);
    let report = with(LockStrategy::Advisory).up().await.unwrap();
    assert_eq!(report.applied.len(), 1);
}

#[tokio::test]
async fn ignored_statement_is_an_error() {
    let database = TestDatabase::new();
    for (script, part) in [
        (
            "PRAGMA foreign_keys = OFF; CREATE TABLE a (n)",
            "ignores PRAGMA foreign_keys",
        ),
        (
            "-- lockage: no-transaction\n-- lockage: foreign-keys=off\nCREATE TABLE a (n)",
            "without a transaction",
        ),
        (
            "-- lockage: no-transaction\nBEGIN; CREATE TABLE a (n); COMMIT AND CHAIN; COMMIT",
            "AND CHAIN",
        ),
    ] {
        let error = database
            .runner(&[("V1__a.sql", script)])
            .up()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidMigration);
        assert!(error.message().contains(part), "{error}");
    }
    assert_eq!(database.folder.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn function_that_describes_the_journal_is_rejected() {
    let head = "-- lockage: no-transaction\nCREATE TABLE p (n); CREATE TABLE c (n);\n";
    for script in [
        "INSERT INTO p VALUES (42); INSERT INTO c VALUES (last_insert_rowid());",
        "INSERT INTO c SELECT \"Changes\" /* c */ (*);",
        "BEGIN; INSERT INTO c VALUES (last_insert_rowid()); COMMIT;",
        "BEGIN; INSERT INTO p VALUES (1); COMMIT; INSERT INTO c VALUES (changes());",
        "BEGIN; UPDATE p SET n = 1; INSERT INTO c VALUES (last_insert_rowid()); COMMIT;",
        "BEGIN; INSERT INTO p VALUES (1); INSERT INTO c VALUES (total_changes()); COMMIT;",
    ] {
        let database = TestDatabase::new();
        let script = format!("{head}{script}");
        let error = database
            .runner(&[("V1__a.sql", &script)])
            .up()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidMigration, "{error:?}");
        assert!(error.message().contains("journal row"), "{error}");
        assert_eq!(error.location().unwrap().line, Some(3));
        assert!(error.hint().unwrap().contains("no-transaction"));
        assert_eq!(database.folder.path().read_dir().unwrap().count(), 0);
    }
    for (script, expected) in [
        (
            "BEGIN; INSERT INTO p VALUES (42); INSERT INTO c VALUES (last_insert_rowid()); COMMIT;",
            "Integer(1)",
        ),
        (
            "SAVEPOINT a; INSERT INTO p VALUES (1), (2), (3); INSERT INTO c SELECT changes(); RELEASE a;",
            "Integer(3)",
        ),
        (
            "INSERT INTO c VALUES (7); CREATE TRIGGER t AFTER INSERT ON p BEGIN SELECT changes(); END;",
            "Integer(7)",
        ),
        (
            "CREATE TABLE changes (n); INSERT INTO changes (n) VALUES (1); INSERT INTO c SELECT 8 -- changes()\n;",
            "Integer(8)",
        ),
    ] {
        let database = TestDatabase::new();
        let script = format!("{head}{script}");
        database
            .runner(&[("V1__a.sql", &script)])
            .up()
            .await
            .unwrap();
        assert_eq!(database.text("SELECT n FROM c"), expected);
    }
}
