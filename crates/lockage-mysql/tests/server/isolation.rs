//! What a migration sees of its session: only what it did itself. One run of many migrations has the effect of many runs of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lockage_mysql::lockage_core::{
    ErrorKind, ForeignLock, ForeignLocks, LockStrategy, LockWait, PlanOptions,
};
use lockage_testkit::TestError;
use mysql_async::prelude::Queryable;

use crate::connection_cuts::{reset, with_strategy};
use crate::direct_client::client;
use crate::runner::runner;
use crate::tcp_proxy::{Cut, TcpProxy};
use crate::test_database::TestDatabase;

crate::test_list::tests!(
    migration_sees_nothing_of_earlier_session,
    routine_leaves_nothing_for_next_migration,
    lock_is_held_while_session_is_restored,
    random_scripts_have_same_effect_in_one_run_and_in_many,
);

/// The number of random sequences of scripts.
const CASES: u64 = 12;

/// Records everything that an earlier migration could have left.
const RECORD: &str = "INSERT INTO res SELECT CONCAT_WS('|', IFNULL(@who, '-'), @@default_storage_engine, @@group_concat_max_len, \
     @@auto_increment_increment, LAST_INSERT_ID(), (SELECT COUNT(*) FROM tmp)); INSERT INTO ids (n) VALUES (1); CREATE TABLE made (n INT);";

async fn migration_sees_nothing_of_earlier_session(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let mariadb = database.text("SELECT VERSION()").await?.contains("MariaDB");
    let block = mariadb.then_some("BEGIN NOT ATOMIC SET @who = 5; END");
    for strategy in [LockStrategy::Auto, LockStrategy::Table] {
        let changes = [
            "SELECT 'x' INTO @who",
            "SET SESSION default_storage_engine = 'MyISAM'",
            "SET SESSION group_concat_max_len = 7",
            "SET @@auto_increment_increment = 5",
            "SET insert_id = 77",
            "SET @who = 1, SESSION group_concat_max_len = 9",
            "CREATE TEMPORARY TABLE tmp AS SELECT 1 AS n UNION ALL SELECT 2",
            "INSERT INTO ids (n) VALUES (1), (2)",
            "PREPARE s FROM 'SELECT 1'; EXECUTE s",
        ];
        for change in changes.into_iter().chain(block) {
            reset(database).await?;
            let start = "CREATE TABLE res (s TEXT); CREATE TABLE tmp (n INT); CREATE TABLE ids (id INT AUTO_INCREMENT PRIMARY KEY, n INT);";
            let files = [
                ("V1__a.sql", start),
                ("V2__b.sql", change),
                ("V3__c.sql", RECORD),
            ];
            with_strategy(database.runner(&files)?, strategy)
                .up()
                .await?;
            let together = state(database).await?;
            reset(database).await?;
            for count in 1..=3 {
                with_strategy(database.runner(&files[..count])?, strategy)
                    .up()
                    .await?;
            }
            assert_eq!(together, state(database).await?, "{change}, {strategy:?}");
        }
    }
    Ok(())
}

/// Returns the rows and tables that the scripts leave.
async fn state(database: &TestDatabase) -> Result<Vec<String>, TestError> {
    let mut state = database.texts("SELECT s FROM res").await?;
    state.extend(
        database
            .texts("SELECT CONCAT(id, '=', n) FROM ids ORDER BY id")
            .await?,
    );
    let tables = "SELECT CONCAT(TABLE_NAME, ' ', ENGINE) FROM information_schema.TABLES \
                  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME NOT LIKE 'lockage%' ORDER BY 1";
    state.extend(database.texts(tables).await?);
    Ok(state)
}

async fn routine_leaves_nothing_for_next_migration(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let first = "CREATE TABLE t (n INT); CREATE TABLE res (s TEXT);
        CREATE TRIGGER t_insert BEFORE INSERT ON t FOR EACH ROW SET @seen = NEW.n;";
    let files = [
        ("V1__a.sql", first),
        ("V2__b.sql", "INSERT INTO t VALUES (5)"),
        ("V3__c.sql", "INSERT INTO res SELECT IFNULL(@seen, '-')"),
    ];
    database.runner(&files)?.up().await?;
    assert_eq!(database.text("SELECT s FROM res").await?, "-");
    Ok(())
}

// Long because one run is observed from start to end.
async fn lock_is_held_while_session_is_restored(database: &TestDatabase) -> Result<(), TestError> {
    let files: Vec<_> = (1..=12)
        .map(|n| {
            (
                format!("V{n}__a.sql"),
                format!("SET @a = {n}; CREATE TABLE t{n} (n INT)"),
            )
        })
        .collect();
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let foreign = format!("foreign.{}", database.name());
    let barrier = format!("test.{}", database.name());
    let wait = format!("DO GET_LOCK('{barrier}', 150) + RELEASE_LOCK('{barrier}')");
    let mut files = files;
    files.insert(0, ("V0__first.sql", &wait));
    files.push(("V99__last.sql", &wait));
    // The first and the last migration wait, so that the attempts begin and end while the run holds the locks.
    let mut gate = client(&database.url()).await?;
    gate.query_drop(format!("DO GET_LOCK('{barrier}', 10)"))
        .await?;
    let locks = ForeignLocks::none().with(ForeignLock::Native(foreign.clone()));
    let runner = database.runner(&files)?.foreign_locks(locks);
    let run = tokio::spawn(async move { runner.up().await });
    let waiting = database.sessions_running("DO GET_LOCK");
    database.wait_for_row(&waiting).await?;

    let is_done = Arc::new(AtomicBool::new(false));
    let own = format!("lockage:4006:{}", database.name());
    let mut attempts = Vec::new();
    for name in [own.clone(), foreign.clone(), own, foreign] {
        let (is_done, mut other) = (Arc::clone(&is_done), client(&database.url()).await?);
        attempts.push(tokio::spawn(async move {
            let (mut granted, mut tried) = (0, 0);
            while !is_done.load(Ordering::SeqCst) {
                let got: Option<Option<i64>> = other
                    .query_first(format!("SELECT GET_LOCK('{name}', 0)"))
                    .await?;
                granted += got.flatten().unwrap_or(0);
                tried += 1;
            }
            Ok::<_, mysql_async::Error>((granted, tried))
        }));
    }
    gate.query_drop(format!("DO RELEASE_LOCK('{barrier}')"))
        .await?;
    database
        .wait_for_row("SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 't6'")
        .await?;
    // Waits until the last migration waits, or takes the lock when the run has passed it.
    gate.query_drop(format!("DO GET_LOCK('{barrier}', 10)"))
        .await?;
    database.wait_for_row(&waiting).await?;
    is_done.store(true, Ordering::SeqCst);
    for attempt in attempts {
        let (granted, tried) = attempt.await??;
        assert_eq!(granted, 0, "of {tried} attempts");
        assert!(tried > 10, "{tried}");
    }
    gate.disconnect().await?;
    let report = run.await??;
    assert_eq!(report.applied.len(), 14);
    Ok(())
}

/// Statements that set something in the session or use it. `#` is replaced by a number.
const STATEMENTS: &[&str] = &[
    "SET @a = #;",
    "SELECT # INTO @b;",
    "SET SESSION group_concat_max_len = #;",
    "SET SESSION default_storage_engine = 'MyISAM';",
    "SET SESSION auto_increment_increment = #;",
    "SET sql_mode = '';",
    "SET time_zone = '+0#:00';",
    "CREATE TEMPORARY TABLE IF NOT EXISTS tmp AS SELECT # AS n;",
    "PREPARE p FROM 'INSERT INTO res VALUES (#)'; EXECUTE p;",
    "INSERT INTO ids (n) VALUES (#);",
    "INSERT INTO ids (n) VALUES (f(#));",
    "INSERT INTO res SELECT CONCAT_WS('|', 'vars', IFNULL(@a, '-'), IFNULL(@b, '-'), IFNULL(@f, '-'));",
    "INSERT INTO res SELECT CONCAT_WS('|', 'set', @@group_concat_max_len, @@default_storage_engine, @@sql_mode, @@time_zone);",
    "INSERT INTO res SELECT CONCAT('tmp ', COUNT(*)) FROM tmp;",
    "INSERT INTO res SELECT CONCAT('id ', LAST_INSERT_ID());",
    "DROP TABLE IF EXISTS made#; CREATE TABLE made# (n INT);",
];

#[expect(
    clippy::disallowed_methods,
    reason = "a test program reads its environment"
)]
async fn random_scripts_have_same_effect_in_one_run_and_in_many(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let first: u64 = std::env::var("LOCKAGE_TEST_SCRIPT_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    for seed in first..first + CASES {
        random_case(database, seed)
            .await
            .map_err(|error| format!("LOCKAGE_TEST_SCRIPT_SEED={seed}: {error}"))?;
    }
    Ok(())
}

async fn random_case(database: &TestDatabase, seed: u64) -> Result<(), TestError> {
    let mut random = fastrand::Rng::with_seed(seed);
    let start = "CREATE TABLE res (s TEXT); CREATE TABLE tmp (n INT); CREATE TABLE ids (id INT AUTO_INCREMENT PRIMARY KEY, n INT);
        DELIMITER //
        CREATE FUNCTION f(n INT) RETURNS INT DETERMINISTIC BEGIN SET @f = n; RETURN n; END//";
    let mut files = vec![("V0__start.sql".to_owned(), start.to_owned())];
    for version in 1..=random.u32(2..5) {
        let statements: Vec<String> = (0..random.usize(1..5))
            .map(|_| {
                let statement = STATEMENTS[random.usize(..STATEMENTS.len())];
                statement.replace('#', &random.u32(4..9).to_string())
            })
            .collect();
        files.push((format!("V{version}__a.sql"), statements.join("\n")));
    }
    let scripts = format!("{:#?}", &files[1..]);
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();

    reset(database).await?;
    let mut steps = PlanOptions::default();
    steps.steps = Some(1);
    for _ in 0..files.len() {
        let runner = database.runner(&files)?.plan_options(steps.clone());
        runner.up().await?;
    }
    let expected = state(database).await?;

    reset(database).await?;
    let proxy = TcpProxy::start(database.host()).await?;
    let through_proxy = || runner(&database.url_via(&proxy.address()), &files);
    through_proxy()?.up().await?;
    assert_eq!(state(database).await?, expected, "in one run: {scripts}");
    let requests = proxy.requests().await;

    reset(database).await?;
    let cut = Cut::After(random.u32(requests + 1..=2 * requests));
    proxy.cut(cut.clone());
    let killed = through_proxy()?.wait(LockWait::Never).up().await;
    match database.runner(&files)?.up().await {
        Ok(_) => assert_eq!(
            state(database).await?,
            expected,
            "{cut:?} of {requests}, after {killed:?}: {scripts}"
        ),
        // A temporary table cannot be restored.
        Err(error) if error.kind() == ErrorKind::Diverged && scripts.contains("TEMPORARY") => {
            assert!(error.message().contains("cannot resume"), "{error:?}");
        }
        Err(error) => return Err(format!("{cut:?}, {scripts}: {error:?}").into()),
    }
    Ok(())
}
