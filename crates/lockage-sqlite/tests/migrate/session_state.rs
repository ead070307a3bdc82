//! No migration sees what another left in its session.

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use lockage_core::{
    ConnectOptions, Event, MigrationSet, Observer, Outcome, PlanOptions, Registry, Runner,
};
use lockage_sqlite::BACKEND;

use crate::random::Random;
use crate::test_database::TestDatabase;

/// The number of random sequences; `LOCKAGE_TEST_CASES` overrides it.
const CASES: u64 = 80;

const BASE: &str = "
CREATE TABLE log (id INTEGER PRIMARY KEY, what TEXT);
CREATE TABLE checked (n INTEGER CHECK (n > 0));
CREATE TABLE parent (id INTEGER PRIMARY KEY);
CREATE TABLE child (p INTEGER REFERENCES parent ON DELETE CASCADE);
CREATE TABLE deep (n INTEGER);
CREATE TRIGGER deeper AFTER INSERT ON deep WHEN new.n < 3 BEGIN INSERT INTO deep VALUES (new.n + 1); END;
CREATE TABLE users (id INTEGER, name TEXT);
CREATE TABLE old0 (a INTEGER);
CREATE VIEW dependent AS SELECT a FROM old0;
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 40) INSERT INTO parent SELECT n FROM r;
INSERT INTO child SELECT id FROM parent;
INSERT INTO users VALUES (7, 'g'), (8, 'h');
";

const SETTINGS: &[&str] = &[
    "ignore_check_constraints",
    "legacy_alter_table",
    "case_sensitive_like",
    "recursive_triggers",
    "reverse_unordered_selects",
    "cell_size_check",
    "trusted_schema",
    "automatic_index",
    "defer_foreign_keys",
];

/// Writes random migrations.
struct Scripts {
    random: Random,
    /// A number that makes names and rows unique.
    unique: u32,
    /// How often the table `old…` was renamed.
    renamed: u32,
}

impl Scripts {
    fn write(seed: u64) -> Vec<(String, String)> {
        let mut scripts = Self {
            random: Random(seed),
            unique: 0,
            renamed: 0,
        };
        let count = 3 + scripts.random.below(5);
        let mut files = vec![("V1__base.sql".to_owned(), BASE.to_owned())];
        for version in 2..=count {
            files.push((format!("V{version}__random.sql"), scripts.script()));
        }
        files
    }

    fn script(&mut self) -> String {
        let transaction = self.random.below(3) > 0;
        let mut script = String::new();
        if !transaction {
            script.push_str("-- lockage: no-transaction\n");
        }
        for _ in 0..1 + self.random.below(4) {
            self.unique += 1;
            let statement = self.statement(transaction);
            writeln!(script, "{statement};").unwrap();
        }
        script
    }

    fn statement(&mut self, transaction: bool) -> String {
        let n = self.unique;
        match self.random.below(if transaction { 19 } else { 22 }) {
            0..=4 => {
                let setting = self.random.choose(SETTINGS);
                let value = self.random.choose(&["ON", "ON", "OFF"]);
                format!("PRAGMA {setting} = {value}")
            }
            5 => "CREATE TEMPORARY TABLE users AS SELECT 1 AS id".into(),
            6 => "CREATE TEMP VIEW checked AS SELECT 99 AS n".into(),
            7 => "CREATE TEMP TRIGGER watch AFTER INSERT ON log BEGIN INSERT INTO deep VALUES (10); END".into(),
            8 => "CREATE TABLE temp.parent (id INTEGER)".into(),
            9 => format!("INSERT OR IGNORE INTO checked VALUES (-{n})"),
            10 => "INSERT INTO log (what) SELECT 'like ' || ('a' LIKE 'A')".into(),
            11 => "INSERT INTO deep VALUES (0)".into(),
            12 => "INSERT INTO log (what) SELECT 'users ' || count(*) FROM users".into(),
            13 => format!("ALTER TABLE users ADD COLUMN c{n} TEXT"),
            14 => "INSERT INTO log (what) SELECT group_concat(name) FROM pragma_database_list".into(),
            15 => format!("DELETE FROM parent WHERE id = {n}"),
            16 => {
                let from = self.renamed;
                self.renamed += 1;
                format!("ALTER TABLE old{from} RENAME TO old{}", self.renamed)
            }
            17 if transaction => "INSERT INTO log (what) SELECT 'counters ' || last_insert_rowid() || changes() || total_changes()".into(),
            17 => "SAVEPOINT a; INSERT INTO log (what) VALUES ('x'); INSERT INTO log (what) SELECT last_insert_rowid() || changes(); RELEASE a".into(),
            18 => "ATTACH ':memory:' AS side; CREATE TABLE side.t (n); INSERT INTO side.t VALUES (1)".into(),
            19 => "PRAGMA foreign_keys = OFF".into(),
            20 => "INSERT INTO log (what) SELECT 'side ' || count(*) FROM side.t".into(),
            _ => "BEGIN; INSERT INTO log (what) VALUES ('y'); ROLLBACK".into(),
        }
    }
}

fn runner(url: &str, files: &[(String, String)]) -> Runner {
    let files = files.iter().map(|(name, text)| (&**name, &**text));
    let set = MigrationSet::from_texts(files).unwrap();
    let registry = Registry::default().with(BACKEND).unwrap();
    Runner::new(registry, ConnectOptions::new(url).unwrap(), set)
}

/// Returns schema, rows and history of a database.
fn content(database: &TestDatabase) -> String {
    let client = database.client();
    let mut content = String::new();
    let mut tables = Vec::new();
    let mut add = |sql: &str| {
        let mut query = client.prepare(sql).unwrap();
        let columns = query.column_count();
        let mut rows = query.query(()).unwrap();
        let mut first = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                let value: rusqlite::types::Value = row.get(column).unwrap();
                write!(content, "{value:?} ").unwrap();
            }
            content.push('\n');
            first.push(row.get::<_, rusqlite::types::Value>(0).unwrap());
        }
        first
    };
    for name in add(
        "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%lockage%' AND type = 'table' ORDER BY name",
    ) {
        if let rusqlite::types::Value::Text(name) = name {
            tables.push(name);
        }
    }
    add(
        "SELECT name, sql FROM sqlite_master WHERE type <> 'table' AND name NOT LIKE '%lockage%' ORDER BY name",
    );
    for table in tables {
        add(&format!(
            "SELECT '{table}', * FROM \"{table}\" ORDER BY rowid"
        ));
    }
    add("SELECT version, state, statements_done FROM lockage_history ORDER BY version");
    content
}

/// Runs migrations to their end and returns the message of the error, if any.
async fn run(runner: &Runner) -> (Option<String>, bool) {
    match runner.up().await {
        Ok(report) => (None, report.outcome == Outcome::UpToDate),
        Err(error) => (Some(error.message().to_owned()), true),
    }
}

async fn run_in_steps(url: &str, files: &[(String, String)]) -> Option<String> {
    let mut options = PlanOptions::default();
    options.steps = Some(1);
    let runner = runner(url, files).plan_options(options);
    loop {
        let (error, is_end) = run(&runner).await;
        if is_end {
            return error;
        }
    }
}

/// Ends the process at an event, as a kill does: nothing is rolled back or closed.
struct AbortAt {
    event: std::sync::atomic::AtomicI64,
}

impl Observer for AbortAt {
    fn on_event(&self, event: &Event<'_>) {
        let counts = matches!(
            event,
            Event::StepStarted { .. } | Event::Statement { .. } | Event::StepFinished { .. }
        );
        if counts
            && self
                .event
                .fetch_sub(1, std::sync::atomic::Ordering::Relaxed)
                == 0
        {
            std::process::abort();
        }
    }
}

/// The process that the property test kills.
#[ignore = "the child process of one_run_equals_many_runs"]
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test program reads its environment"
)]
async fn killed_run() {
    let variable = |name: &str| std::env::var(name).unwrap();
    let abort = AbortAt {
        event: variable("LOCKAGE_TEST_EVENT")
            .parse::<i64>()
            .unwrap()
            .into(),
    };
    let mut files: Vec<(String, String)> = Vec::new();
    for entry in Path::new(&variable("LOCKAGE_TEST_FOLDER"))
        .read_dir()
        .unwrap()
    {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        files.push((name, std::fs::read_to_string(&path).unwrap()));
    }
    let url = variable("LOCKAGE_TEST_URL");
    let _ = runner(&url, &files).observer(abort).up().await;
}

/// Runs migrations in another process that ends at an event.
fn run_and_kill(database: &TestDatabase, files: &[(String, String)], event: u64) {
    let folder = database.folder.path().join("migrations");
    std::fs::create_dir(&folder).unwrap();
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    Command::new(std::env::current_exe().unwrap())
        .args(["session_state::killed_run", "--exact", "--ignored"])
        .env("LOCKAGE_TEST_FOLDER", &folder)
        .env("LOCKAGE_TEST_EVENT", event.to_string())
        .env("LOCKAGE_TEST_URL", database.url())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
}

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test program reads its environment"
)]
async fn one_run_equals_many_runs() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let start = number("LOCKAGE_TEST_SCRIPT_SEED").unwrap_or(1);
    let cases = number("LOCKAGE_TEST_CASES").unwrap_or(CASES);
    for seed in start..start + cases {
        let files = Scripts::write(seed);
        let context =
            || format!("LOCKAGE_TEST_SCRIPT_SEED={seed} LOCKAGE_TEST_CASES=1: {files:#?}");
        let (once, steps, resumed) = (
            TestDatabase::in_ram(),
            TestDatabase::in_ram(),
            TestDatabase::in_ram(),
        );
        let (error, _) = run(&runner(&once.url(), &files)).await;
        let expected = (error, content(&once));
        let error = run_in_steps(&steps.url(), &files).await;
        assert_eq!((error, content(&steps)), expected, "steps 1, {}", context());
        let event = Random(seed).below(14);
        run_and_kill(&resumed, &files, event);
        let (error, _) = run(&runner(&resumed.url(), &files)).await;
        // A script that depends on its lost session is not continued.
        if !error
            .as_ref()
            .is_some_and(|error| error.starts_with("cannot resume"))
        {
            assert_eq!(
                (error, content(&resumed)),
                expected,
                "killed at event {event}, {}",
                context()
            );
        }
    }
}

#[tokio::test]
async fn killed_script_that_depends_on_its_session_is_not_resumed() {
    let script = "-- lockage: no-transaction\ncreate temporary table t as select 1 as a;\ninsert into res select a from t;\n";
    let files = [
        (
            "V1__a.sql",
            "create table t (a); insert into t values (10), (20), (30); create table res (a);",
        ),
        ("V2__b.sql", script),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()));
    let database = TestDatabase::in_ram();
    // Events: the first step starts, has three statements and finishes; the second starts, and its first statement is done.
    run_and_kill(&database, &files, 6);
    assert_eq!(
        database.text("SELECT group_concat(statement || state) FROM lockage_journal"),
        "Text(\"0done\")"
    );
    let error = runner(&database.url(), &files).up().await.unwrap_err();
    assert!(error.message().starts_with("cannot resume"), "{error:?}");
    assert_eq!(database.text("SELECT count(*) FROM res"), "Integer(0)");
}

#[tokio::test]
async fn settings_of_one_migration_do_not_reach_the_next() {
    for (first, second) in [
        (
            "PRAGMA ignore_check_constraints = ON",
            "INSERT INTO checked VALUES (-1)",
        ),
        (
            "PRAGMA case_sensitive_like = ON",
            "INSERT INTO checked SELECT 'a' NOT LIKE 'A'",
        ),
        ("ATTACH ':memory:' AS side", "CREATE TABLE side.t (n)"),
        ("CREATE TEMP TABLE t (n)", "INSERT INTO t VALUES (1)"),
        (
            "INSERT INTO checked VALUES (1)",
            "INSERT INTO checked SELECT last_insert_rowid() + changes()",
        ),
    ] {
        for head in ["", "-- lockage: no-transaction\n"] {
            let database = TestDatabase::new();
            let first = format!("{head}{first};");
            let error = database
                .runner(&[
                    (
                        "V1__base.sql",
                        "CREATE TABLE checked (n INTEGER CHECK (n > 0))",
                    ),
                    ("V2__first.sql", &first),
                    ("V3__second.sql", second),
                ])
                .up()
                .await
                .unwrap_err();
            assert_eq!(
                error.report().unwrap().applied.len(),
                2,
                "{first} {error:?}"
            );
        }
    }
}

#[tokio::test]
async fn database_in_memory_has_a_connection_for_each_migration() {
    let files = [
        (
            "V1__a.sql",
            "CREATE TABLE checked (n INTEGER CHECK (n > 0)); PRAGMA ignore_check_constraints = ON; CREATE TEMP TABLE t (n)",
        ),
        ("V2__b.sql", "INSERT INTO checked VALUES (1)"),
        (
            "V3__c.sql",
            "CREATE TEMP TABLE t AS SELECT n FROM checked; INSERT INTO checked SELECT -n FROM t",
        ),
    ];
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
    for url in [
        "sqlite::memory:",
        "sqlite:file:session-state?mode=memory&cache=shared",
    ] {
        let error = runner(url, &files).up().await.unwrap_err();
        assert_eq!(error.report().unwrap().applied.len(), 2, "{error:?}");
        assert!(error.message().contains("CHECK constraint"), "{error:?}");
    }
}

#[tokio::test]
async fn wal_stays_between_migrations() {
    let database = TestDatabase::new();
    database
        .client()
        .pragma_update(None, "journal_mode", "WAL")
        .unwrap();
    let folder = database.folder.path().join("app.db-wal");
    struct WalExists(std::path::PathBuf);
    impl Observer for WalExists {
        fn on_event(&self, event: &Event<'_>) {
            if let Event::StepFinished { .. } = event {
                assert!(self.0.metadata().unwrap().len() > 0);
            }
        }
    }
    let report = database
        .runner(&[
            ("V1__a.sql", "CREATE TABLE a (n)"),
            ("V2__b.sql", "CREATE TABLE b (n)"),
            (
                "V3__c.sql",
                "PRAGMA locking_mode = EXCLUSIVE; CREATE TABLE c (n)",
            ),
            ("V4__d.sql", "CREATE TABLE d (n)"),
        ])
        .observer(WalExists(folder))
        .up()
        .await
        .unwrap();
    assert_eq!(report.applied.len(), 4);
}
