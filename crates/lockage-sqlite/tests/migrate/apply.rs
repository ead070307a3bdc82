//! Scripts that run in a transaction.

use std::sync::{Arc, Mutex};

use lockage_core::{
    ConnectOptions, ErrorKind, Event, MigrationSet, Observer, Outcome, Registry, Runner,
};
use lockage_sqlite::BACKEND;

use crate::test_database::TestDatabase;

#[tokio::test]
async fn second_run_leaves_migrated_file_unchanged() {
    let database = TestDatabase::new();
    let runner = database.runner(&[
        ("V1__users.sql", "CREATE TABLE users (id INTEGER PRIMARY KEY); INSERT INTO users VALUES (1);"),
        ("V2__more.sql", "CREATE TRIGGER t AFTER INSERT ON users BEGIN SELECT 1; SELECT 2; END; INSERT INTO users VALUES (2)"),
    ]);
    let report = runner.up().await.unwrap();
    assert_eq!(report.outcome, Outcome::Applied);
    assert_eq!(report.applied.len(), 2);
    assert!(report.took_lock);
    let before = std::fs::read(database.folder.path().join("app.db")).unwrap();
    let again = runner.up().await.unwrap();
    assert_eq!(again.outcome, Outcome::UpToDate);
    assert!(!again.took_lock);
    assert_eq!(
        std::fs::read(database.folder.path().join("app.db")).unwrap(),
        before
    );
    assert_eq!(database.text("SELECT count(*) FROM users"), "Integer(2)");
    assert_eq!(
        database
            .text("SELECT group_concat(version || state || statements_done) FROM lockage_history"),
        "Text(\"1applied2,2applied2\")"
    );
}

#[tokio::test]
async fn check_does_not_create_missing_database() {
    let database = TestDatabase::new();
    let runner = database.runner(&[("V1__a.sql", "CREATE TABLE a (n)")]);
    assert_eq!(runner.check().await.unwrap().outcome, Outcome::Pending);
    assert_eq!(database.folder.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn failing_statement_reports_position_and_is_rolled_back() {
    let database = TestDatabase::new();
    let error = database
        .runner(&[(
            "V1__a.sql",
            "CREATE TABLE a (n);\n\n  INSERT INTO a\n VALUES (1, é);",
        )])
        .up()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MigrationFailed);
    let location = error.location().unwrap();
    assert_eq!(
        (location.line, location.column),
        (Some(4), Some(13)),
        "{error:?}"
    );
    assert_eq!(location.line_text.as_deref(), Some(" VALUES (1, é)"));
    assert_eq!(
        database.text("SELECT count(*) FROM sqlite_master WHERE name = 'a'"),
        "Integer(0)"
    );
    assert!(
        database
            .runner(&[("V1__a.sql", "CREATE TABLE a (n)")])
            .lock_holder()
            .await
            .unwrap()
            .is_none()
    );
    database
        .runner(&[("V1__a.sql", "CREATE TABLE a (n)")])
        .up()
        .await
        .unwrap();
}

#[tokio::test]
async fn foreign_keys_off_is_checked_before_commit() {
    let database = TestDatabase::new();
    let start = (
        "V1__a.sql",
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p INTEGER REFERENCES p ON DELETE CASCADE);
         INSERT INTO p VALUES (1); INSERT INTO c VALUES (1);",
    );
    let rebuild = "-- lockage: foreign-keys=off
        CREATE TABLE new (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO new SELECT id, '' FROM p;
        DROP TABLE p; ALTER TABLE new RENAME TO p;";
    database
        .runner(&[start, ("V2__rebuild.sql", rebuild)])
        .up()
        .await
        .unwrap();
    assert_eq!(
        database.text("SELECT count(*) FROM c"),
        "Integer(1)",
        "the cascade must not have run"
    );
    let broken = "-- lockage: foreign-keys=off\nDELETE FROM p;";
    let error = database
        .runner(&[
            start,
            ("V2__rebuild.sql", rebuild),
            ("V3__broken.sql", broken),
        ])
        .up()
        .await
        .unwrap_err();
    assert_eq!(
        error.message(),
        "the script leaves rows that violate foreign keys: row 1 of `c` (p = 1) has no parent in `p`"
    );
    assert_eq!(database.text("SELECT count(*) FROM p"), "Integer(1)");
    let after = ("V3__after.sql", "DELETE FROM p;");
    database
        .runner(&[start, ("V2__rebuild.sql", rebuild), after])
        .up()
        .await
        .unwrap();
    assert_eq!(
        database.text("SELECT count(*) FROM c"),
        "Integer(0)",
        "foreign keys are on again"
    );
}

#[tokio::test]
async fn statement_timeout_cancels_statement() {
    let database = TestDatabase::new();
    let endless = "-- lockage: statement-timeout=50ms\nCREATE TABLE a AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r;";
    let error = database
        .runner(&[("V1__a.sql", endless)])
        .up()
        .await
        .unwrap_err();
    assert!(error.message().contains("statement timeout"), "{error:?}");
    database
        .runner(&[("V1__a.sql", "CREATE TABLE a (n)")])
        .up()
        .await
        .unwrap();
}

#[tokio::test]
async fn in_memory_database_is_migrated() {
    let set = MigrationSet::from_texts([
        ("V1__a.sql", "CREATE TABLE a (n)"),
        ("V2__b.sql", "CREATE TABLE b (n)"),
    ])
    .unwrap();
    let registry = Registry::default().with(BACKEND).unwrap();
    for url in [
        "sqlite::memory:",
        "sqlite:file:lockage-test?mode=memory&cache=shared",
    ] {
        let runner = Runner::new(
            registry.clone(),
            ConnectOptions::new(url).unwrap(),
            set.clone(),
        );
        let notices = Arc::new(Mutex::new(Vec::new()));
        let runner = runner.observer(Notices(Arc::clone(&notices)));
        assert_eq!(runner.up().await.unwrap().outcome, Outcome::Applied);
        let notices = notices.lock().unwrap();
        assert_eq!(notices.len(), 1);
        assert!(notices[0].contains("in memory and is lost"), "{notices:?}");
    }
}

/// Collects the messages of a run.
struct Notices(Arc<Mutex<Vec<String>>>);

impl Observer for Notices {
    fn on_event(&self, event: &Event<'_>) {
        if let Event::Notice { message, .. } = event {
            self.0.lock().unwrap().push((*message).to_owned());
        }
    }
}

#[tokio::test]
async fn full_disk_is_reported_and_rolled_back() {
    let database = TestDatabase::new();
    database
        .runner(&[("V1__a.sql", "CREATE TABLE a (t TEXT)")])
        .up()
        .await
        .unwrap();
    let full = "PRAGMA max_page_count = 16;\nINSERT INTO a VALUES (hex(randomblob(100000)));";
    let error = database
        .runner(&[
            ("V1__a.sql", "CREATE TABLE a (t TEXT)"),
            ("V2__full.sql", full),
        ])
        .up()
        .await
        .unwrap_err();
    assert_eq!(error.message(), "the disk is full");
    assert_eq!(database.text("SELECT count(*) FROM a"), "Integer(0)");
}

#[tokio::test]
async fn timeout_beyond_clock_range_is_no_limit() {
    let database = TestDatabase::new();
    let runner = database
        .runner(&[("V1__a.sql", "CREATE TABLE a (id int);")])
        .connect_options(|options| {
            options.statement_timeout = Some(std::time::Duration::MAX);
            options.ddl_lock_timeout = Some(std::time::Duration::MAX);
        });
    assert_eq!(runner.up().await.unwrap().applied.len(), 1);
}

/// Counts the statements that are reported as done.
struct Statements(Arc<Mutex<u32>>);

impl Observer for Statements {
    fn on_event(&self, event: &Event<'_>) {
        if let Event::Statement { .. } = event {
            *self.0.lock().unwrap() += 1;
        }
    }
}

#[tokio::test]
async fn every_finished_statement_is_reported() {
    let database = TestDatabase::in_ram();
    let files: Vec<(String, String)> = (1..=100)
        .map(|version| {
            (
                format!("V{version}__a.sql"),
                "SELECT 1; SELECT 2".to_owned(),
            )
        })
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (&**name, &**text))
        .collect();
    let count = Arc::new(Mutex::new(0));
    let runner = database
        .runner(&files)
        .observer(Statements(Arc::clone(&count)));
    runner.up().await.unwrap();
    assert_eq!(*count.lock().unwrap(), 200);
}
