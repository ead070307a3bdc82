//! The backend on real files, through the runner.

use lockage_core::{
    Action, ConnectOptions, ErrorKind, LockStrategy, MigrationSet, Outcome, PlanOptions, Registry,
    Runner,
};
use lockage_sqlite::BACKEND;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.folder.path().join("app.db").display())
    }

    fn runner(&self, files: &[(&str, &str)]) -> Runner {
        let set = MigrationSet::from_texts(files.iter().copied()).unwrap();
        let registry = Registry::default().with(BACKEND).unwrap();
        Runner::new(registry, ConnectOptions::new(self.url()).unwrap(), set)
    }

    fn client(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.folder.path().join("app.db")).unwrap()
    }

    fn text(&self, sql: &str) -> String {
        self.client()
            .query_row(sql, (), |row| row.get::<_, rusqlite::types::Value>(0))
            .map(|v| format!("{v:?}"))
            .unwrap()
    }
}

#[tokio::test]
async fn a_fresh_file_is_migrated_and_a_second_run_leaves_it_alone() {
    let place = Place::new();
    let runner = place.runner(&[
        ("V1__users.sql", "CREATE TABLE users (id INTEGER PRIMARY KEY); INSERT INTO users VALUES (1);"),
        ("V2__more.sql", "CREATE TRIGGER t AFTER INSERT ON users BEGIN SELECT 1; SELECT 2; END; INSERT INTO users VALUES (2)"),
    ]);
    let report = runner.up().await.unwrap();
    assert_eq!(report.outcome, Outcome::Applied);
    assert_eq!(report.applied.len(), 2);
    assert!(report.took_lock);
    let before = std::fs::read(place.folder.path().join("app.db")).unwrap();
    let again = runner.up().await.unwrap();
    assert_eq!(again.outcome, Outcome::UpToDate);
    assert!(!again.took_lock);
    assert_eq!(
        std::fs::read(place.folder.path().join("app.db")).unwrap(),
        before
    );
    assert_eq!(place.text("SELECT count(*) FROM users"), "Integer(2)");
    assert_eq!(
        place.text("SELECT group_concat(version || state || statements_done) FROM lockage_history"),
        "Text(\"1applied2,2applied2\")"
    );
}

#[tokio::test]
async fn looking_at_a_database_that_does_not_exist_does_not_make_it() {
    let place = Place::new();
    let runner = place.runner(&[("V1__a.sql", "CREATE TABLE a (n)")]);
    assert_eq!(runner.check().await.unwrap().outcome, Outcome::Pending);
    assert_eq!(place.folder.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn a_failing_statement_is_told_with_its_place_and_leaves_nothing() {
    let place = Place::new();
    let error = place
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
        place.text("SELECT count(*) FROM sqlite_master WHERE name = 'a'"),
        "Integer(0)"
    );
    assert!(
        place
            .runner(&[("V1__a.sql", "CREATE TABLE a (n)")])
            .lock_holder()
            .await
            .unwrap()
            .is_none()
    );
    place
        .runner(&[("V1__a.sql", "CREATE TABLE a (n)")])
        .up()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_table_is_rebuilt_with_foreign_keys_off_and_checked_before_the_commit() {
    let place = Place::new();
    let start = (
        "V1__a.sql",
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p INTEGER REFERENCES p ON DELETE CASCADE);
         INSERT INTO p VALUES (1); INSERT INTO c VALUES (1);",
    );
    let rebuild = "-- lockage: foreign-keys=off
        CREATE TABLE new (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO new SELECT id, '' FROM p;
        DROP TABLE p; ALTER TABLE new RENAME TO p;";
    place
        .runner(&[start, ("V2__rebuild.sql", rebuild)])
        .up()
        .await
        .unwrap();
    assert_eq!(
        place.text("SELECT count(*) FROM c"),
        "Integer(1)",
        "the cascade must not have run"
    );
    let broken = "-- lockage: foreign-keys=off\nDELETE FROM p;";
    let error = place
        .runner(&[
            start,
            ("V2__rebuild.sql", rebuild),
            ("V3__broken.sql", broken),
        ])
        .up()
        .await
        .unwrap_err();
    assert!(error.message().contains("foreign_key_check"), "{error}");
    assert_eq!(place.text("SELECT count(*) FROM p"), "Integer(1)");
    let after = ("V3__after.sql", "DELETE FROM p;");
    place
        .runner(&[start, ("V2__rebuild.sql", rebuild), after])
        .up()
        .await
        .unwrap();
    assert_eq!(
        place.text("SELECT count(*) FROM c"),
        "Integer(0)",
        "foreign keys are on again"
    );
}

#[tokio::test]
async fn statements_outside_a_transaction_run_and_resume() {
    let place = Place::new();
    let head = "-- lockage: no-transaction\nPRAGMA journal_mode = WAL;\nCREATE TABLE a (n);\nINSERT INTO a VALUES (1);\nVACUUM;\n";
    let error = place
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
        place.text(
            "SELECT state || statements_done || '/' || statements_total FROM lockage_history"
        ),
        "Text(\"failed4/5\")"
    );
    let report = place
        .runner(&[("V1__a.sql", &format!("{head}INSERT INTO a VALUES (2);\n"))])
        .up()
        .await
        .unwrap();
    assert_eq!(report.outcome, Outcome::Applied);
    assert_eq!(place.text("SELECT group_concat(n) FROM a"), "Text(\"1,2\")");
    assert_eq!(place.text("PRAGMA journal_mode"), "Text(\"wal\")");
    assert_eq!(
        place.text("SELECT count(*) FROM lockage_journal"),
        "Integer(0)"
    );
}

#[tokio::test]
async fn a_statement_that_runs_too_long_is_stopped() {
    let place = Place::new();
    let endless = "-- lockage: statement-timeout=50ms\nCREATE TABLE a AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r;";
    let error = place
        .runner(&[("V1__a.sql", endless)])
        .up()
        .await
        .unwrap_err();
    assert!(error.message().contains("statement timeout"), "{error:?}");
    place
        .runner(&[("V1__a.sql", "CREATE TABLE a (n)")])
        .up()
        .await
        .unwrap();
}

#[tokio::test]
async fn databases_in_memory_are_migrated_too() {
    let set = MigrationSet::from_texts([("V1__a.sql", "CREATE TABLE a (n)")]).unwrap();
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
        assert_eq!(runner.up().await.unwrap().outcome, Outcome::Applied);
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_said_before_anything_happens() {
    let place = Place::new();
    let files = [("V1__a.sql", "CREATE TABLE a (n)")];
    place.runner(&files).up().await.unwrap();
    let more = [files[0], ("V2__b.sql", "CREATE TABLE b (n)")];
    let read_only = place.runner(&more).connect_options(|options| {
        options.url = format!("{}?mode=ro", options.url.expose()).parse().unwrap();
    });
    assert_eq!(read_only.check().await.unwrap().outcome, Outcome::Pending);
    let error = read_only.up().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let nowhere = place
        .runner(&files)
        .connect_options(|options| options.url = "sqlite:/nowhere/at/all.db".parse().unwrap());
    let error = nowhere.up().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.hint().unwrap().contains("--create"));
    std::fs::write(
        place.folder.path().join("text.db"),
        "not a database, but long enough to look like one at first sight, is it?",
    )
    .unwrap();
    let text = place.runner(&files).connect_options(|options| {
        options.url = options
            .url
            .expose()
            .replace("app.db", "text.db")
            .parse()
            .unwrap();
    });
    assert_eq!(text.up().await.unwrap_err().kind(), ErrorKind::Connect);
}

#[tokio::test]
async fn a_history_is_repaired() {
    let place = Place::new();
    let first = ("V1__a.sql", "CREATE TABLE a (n)");
    place
        .runner(&[first, ("V2__b.sql", "CREATE TABLE b (n)")])
        .up()
        .await
        .unwrap();
    let changed = place.runner(&[
        ("V1__a.sql", "CREATE TABLE a (n) -- changed"),
        ("V3__c.sql", "CREATE TABLE c (n)"),
    ]);
    let error = changed.up().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged);
    assert_eq!(error.related().len(), 1, "{error:?}");
    let shown: Vec<_> = changed
        .repairs()
        .await
        .unwrap()
        .iter()
        .map(|repair| repair.step.action)
        .collect();
    assert_eq!(shown, [Action::UpdateChecksum, Action::DeleteRow]);
    let confirmed = changed.repairs().await.unwrap();
    changed.repair(&confirmed).await.unwrap();
    assert!(changed.repairs().await.unwrap().is_empty());
    let report = changed.up().await.unwrap();
    assert_eq!(report.applied.len(), 1);
    assert_eq!(
        place.text("SELECT group_concat(version) FROM lockage_history"),
        "Text(\"1,3\")"
    );
}

#[tokio::test]
async fn an_existing_database_is_marked_and_goes_on_from_there() {
    let place = Place::new();
    place.client().execute_batch("CREATE TABLE a (n)").unwrap();
    let files = [
        ("V1__a.sql", "CREATE TABLE a (n)"),
        ("V2__b.sql", "CREATE TABLE b (n)"),
    ];
    let mut at = PlanOptions::default();
    at.to = Some("1".parse().unwrap());
    let mark = place.runner(&files).plan_options(at);
    assert_eq!(mark.baseline().await.unwrap().outcome, Outcome::Applied);
    assert_eq!(mark.baseline().await.unwrap().outcome, Outcome::UpToDate);
    let report = place.runner(&files).up().await.unwrap();
    assert_eq!(
        report
            .applied
            .iter()
            .map(|a| a.version.clone().unwrap())
            .collect::<Vec<_>>(),
        ["2"]
    );
    assert_eq!(
        mark.baseline().await.unwrap_err().kind(),
        ErrorKind::Diverged
    );
}

#[tokio::test]
async fn a_statement_in_doubt_is_settled_by_the_user() {
    let place = Place::new();
    let files = [(
        "V1__a.sql",
        "-- lockage: no-transaction\nCREATE TABLE a (n);\nINSERT INTO a VALUES (1);\nINSERT INTO b VALUES (1);\n",
    )];
    place.runner(&files).up().await.unwrap_err();
    // As a run leaves it that died while the third statement was under way.
    let sum = "(SELECT checksum FROM lockage_journal WHERE statement = 1)";
    let begun = format!(
        "INSERT INTO lockage_journal (version, statement, checksum, state, written_at) VALUES ('1', 2, {sum}, 'started', 'now')"
    );
    place.client().execute_batch(&begun).unwrap();
    let runner = place.runner(&files);
    let in_doubt = runner.in_doubt(false).await.unwrap();
    runner.repair(&in_doubt).await.unwrap();
    assert_eq!(
        place.text("SELECT count(*) FROM lockage_journal WHERE state = 'started'"),
        "Integer(0)"
    );
    assert_eq!(
        place.text("SELECT count(*) FROM lockage_journal"),
        "Integer(2)"
    );
    place.client().execute_batch(&begun).unwrap();
    let in_doubt = runner.in_doubt(true).await.unwrap();
    runner.repair(&in_doubt).await.unwrap();
    assert_eq!(
        place.text("SELECT count(*) FROM lockage_journal WHERE state = 'done'"),
        "Integer(3)"
    );
}

#[tokio::test]
async fn a_lock_strategy_that_sqlite_has_not_is_refused() {
    let place = Place::new();
    let with = |strategy| {
        place
            .runner(&[("V1__a.sql", "CREATE TABLE a (n)")])
            .connect_options(|options| options.lock_strategy = strategy)
    };
    for strategy in [LockStrategy::Transaction, LockStrategy::Table] {
        let error = with(strategy).up().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(
            error.message().contains(&format!("`{strategy}`")),
            "{error}"
        );
    }
    assert_eq!(place.folder.path().read_dir().unwrap().count(), 0);
    let report = with(LockStrategy::Advisory).up().await.unwrap();
    assert_eq!(report.applied.len(), 1);
}

#[tokio::test]
async fn an_undo_that_failed_half_way_is_told_and_finished() {
    let place = Place::new();
    let up = ("V1__a.sql", "CREATE TABLE a (n); CREATE TABLE b (n);");
    let undo = |last: &str| format!("-- lockage: no-transaction\nDROP TABLE a;\n{last};\n");
    place.runner(&[up]).up().await.unwrap();
    let bad = undo("DROP TABLE nowhere");
    let failing = place.runner(&[up, ("U1__a.sql", &bad)]);
    failing.down().await.unwrap_err();
    let error = failing.up().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged);
    assert!(error.message().contains("undone half way"), "{error}");
    let good = undo("DROP TABLE b");
    place
        .runner(&[up, ("U1__a.sql", &good)])
        .down()
        .await
        .unwrap();
    assert_eq!(
        place.text("SELECT state FROM lockage_history"),
        "Text(\"undone\")"
    );
    assert_eq!(
        place.runner(&[up]).up().await.unwrap().outcome,
        Outcome::Applied
    );
}

#[tokio::test]
async fn what_a_script_sets_for_its_session_is_set_again_by_whoever_resumes_it() {
    let place = Place::new();
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
    place
        .runner(&[start, ("V2__b.sql", &bad)])
        .up()
        .await
        .unwrap_err();
    let good = rebuild("CREATE TABLE d (n)");
    place
        .runner(&[start, ("V2__b.sql", &good)])
        .up()
        .await
        .unwrap();
    assert_eq!(
        place.text("SELECT count(*) FROM c"),
        "Integer(1)",
        "the cascade must not have run"
    );
}

#[tokio::test]
async fn what_is_half_applied_keeps_its_manner_and_its_statements() {
    let place = Place::new();
    let head = "-- lockage: no-transaction\n";
    let script = "CREATE TABLE a (n);\nINSERT INTO a VALUES (1);\nINSERT INTO b VALUES (1);\n";
    place
        .runner(&[("V1__a.sql", &format!("{head}{script}"))])
        .up()
        .await
        .unwrap_err();
    for changed in [
        "CREATE TABLE b (n);",
        &format!("{head}CREATE TABLE a (n);\n"),
    ] {
        let error = place
            .runner(&[("V1__a.sql", changed)])
            .up()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Diverged, "{error:?}");
    }
    assert_eq!(place.text("SELECT count(*) FROM a"), "Integer(1)");
}

#[tokio::test]
async fn what_sqlite_would_ignore_is_refused() {
    let place = Place::new();
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
        let error = place
            .runner(&[("V1__a.sql", script)])
            .up()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidMigration);
        assert!(error.message().contains(part), "{error}");
    }
    assert_eq!(place.folder.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn a_full_disk_is_said_and_leaves_nothing() {
    let place = Place::new();
    place
        .runner(&[("V1__a.sql", "CREATE TABLE a (t TEXT)")])
        .up()
        .await
        .unwrap();
    let full = "PRAGMA max_page_count = 16;\nINSERT INTO a VALUES (hex(randomblob(100000)));";
    let error = place
        .runner(&[
            ("V1__a.sql", "CREATE TABLE a (t TEXT)"),
            ("V2__full.sql", full),
        ])
        .up()
        .await
        .unwrap_err();
    assert_eq!(error.message(), "the disk is full");
    assert_eq!(place.text("SELECT count(*) FROM a"), "Integer(0)");
}

#[tokio::test]
async fn a_commit_that_is_kept_waiting_is_not_taken_for_done() {
    let place = Place::new();
    let files = [(
        "V1__a.sql",
        "-- lockage: no-transaction\n-- lockage: ddl-lock-timeout=300ms\nCREATE TABLE a (n);\nBEGIN;\nINSERT INTO a VALUES (1);\nCOMMIT;\n",
    )];
    place
        .runner(&[(
            "V0__zero.sql",
            "CREATE TABLE zero (n); INSERT INTO zero VALUES (1)",
        )])
        .up()
        .await
        .unwrap();
    // A reader keeps a commit waiting in the rollback journal mode, from before the script's own transaction on.
    let reader = place.client();
    let mut files_with_zero = vec![(
        "V0__zero.sql",
        "CREATE TABLE zero (n); INSERT INTO zero VALUES (1)",
    )];
    files_with_zero.extend(files);
    reader.execute_batch("BEGIN; SELECT * FROM zero").unwrap();
    let error = place.runner(&files_with_zero).up().await.unwrap_err();
    assert!(
        error
            .report()
            .is_some_and(|report| report.applied.is_empty()),
        "{error:?}"
    );
    reader.execute_batch("COMMIT").unwrap();
    place.runner(&files_with_zero).up().await.unwrap();
    assert_eq!(place.text("SELECT group_concat(n) FROM a"), "Text(\"1\")");
}

#[tokio::test]
async fn a_limit_that_no_clock_can_tell_is_none() {
    let place = Place::new();
    let runner = place
        .runner(&[("V1__a.sql", "CREATE TABLE a (id int);")])
        .connect_options(|options| {
            options.statement_timeout = Some(std::time::Duration::MAX);
            options.ddl_lock_timeout = Some(std::time::Duration::MAX);
        });
    assert_eq!(runner.up().await.unwrap().applied.len(), 1);
}
