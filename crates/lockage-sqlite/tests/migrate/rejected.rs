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
