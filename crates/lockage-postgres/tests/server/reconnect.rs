//! Server restarts and lost connections in the middle of a run.

use std::time::Duration;

use lockage_core::{ErrorKind, LockStrategy, Outcome};
use lockage_test_matrix::engine::PostgresServer;
use lockage_testkit::TestError;

use crate::error_checks::{error_of, hint_contains};
use crate::migrations::{applied_versions, runner, spawn_up, with_lock_strategy};
use crate::private_server;
use crate::sql_client::first_column;
use crate::tcp_proxy::{Cut, Proxy};
use crate::test_database::{SLEEPING, TERMINATE_LOCK_HOLDER, TestDatabase};

crate::tests!(
    run_continues_after_server_restart,
    connection_cut_mid_statement_reconnects,
    connection_cut_at_any_message_applies_each_migration_once,
    connection_cut_at_any_message_with_table_lock,
    killed_session_does_not_reconnect,
    repeated_server_crash_stops_retrying,
);

/// Starts a fast shutdown: the server terminates its sessions and rejects new ones.
fn shut_down(server: &PostgresServer) -> Result<(), TestError> {
    let status = std::fs::read_to_string(server.folder().join("data/postmaster.pid"))?;
    let pid = status.lines().next().ok_or("no process id")?;
    std::process::Command::new("kill")
        .args(["-s", "INT", pid])
        .status()?;
    Ok(())
}

async fn run_continues_after_server_restart(_: &TestDatabase) -> Result<(), TestError> {
    let mut server = private_server::start(crate::search_path(), &[])?;
    for how in ["shut down", "stopped", "killed"] {
        let address = |server: &PostgresServer| format!("127.0.0.1:{}", server.port());
        let database = TestDatabase::new(server.url("postgres")).await?;
        let proxy = Proxy::start(&address(&server)).await?;
        let started = database.text("SELECT pg_postmaster_start_time()").await?;
        let sleep = format!(
            "CREATE TABLE b (n int);\nINSERT INTO a VALUES (2);\n\
             SELECT pg_sleep(600) WHERE pg_postmaster_start_time() = '{started}'"
        );
        let files = [
            (
                "V1__a.sql",
                "CREATE TABLE a (n int); INSERT INTO a VALUES (1)",
            ),
            ("V2__b.sql", &*sleep),
            ("V3__c.sql", "INSERT INTO a VALUES (3)"),
        ];
        let runner = runner(&proxy.url(&database), &files)?;
        let running = spawn_up(runner);
        database.wait_until(SLEEPING).await?;
        match how {
            "shut down" => {
                shut_down(&server)?;
                server.stop()?;
            }
            "stopped" => server.stop()?,
            _ => server.kill()?,
        }
        server.restart()?;
        proxy.redirect_to(&address(&server));
        let report = running.await??;
        assert_eq!(report.outcome, Outcome::Applied, "{how}");
        assert_eq!(applied_versions(&report), ["1", "2", "3"], "{how}");
        let database = database.on_server(server.url("postgres"));
        assert_eq!(
            database.texts("SELECT n FROM a ORDER BY n").await?,
            ["1", "2", "3"],
            "{how}"
        );
    }
    Ok(())
}

async fn connection_cut_mid_statement_reconnects(database: &TestDatabase) -> Result<(), TestError> {
    database.execute("CREATE SEQUENCE tries").await?;
    let proxy = Proxy::start(database.host()).await?;
    let files = [
        (
            "V1__a.sql",
            "CREATE TABLE a (n int); INSERT INTO a VALUES (1)",
        ),
        (
            "V2__b.sql",
            "INSERT INTO a VALUES (2); SELECT pg_sleep(600) WHERE nextval('tries') = 1",
        ),
    ];
    let runner = runner(&proxy.url(database), &files)?;
    let running = spawn_up(runner);
    database.wait_until(SLEEPING).await?;
    proxy.cut();
    let report = running.await??;
    assert_eq!(report.applied.len(), 2);
    assert_eq!(
        database.texts("SELECT n FROM a ORDER BY n").await?,
        ["1", "2"]
    );
    Ok(())
}

/// Scripts with a transaction, without one, and with their own.
const FILES: &[(&str, &str)] = &[
    (
        "V1__a.sql",
        "CREATE TABLE a (n int); INSERT INTO a VALUES (1)",
    ),
    (
        "V2__b.sql",
        "-- lockage: no-transaction\nINSERT INTO a VALUES (2);\nCREATE INDEX CONCURRENTLY i ON a (n);\nBEGIN;\nINSERT INTO a VALUES (3);\nCOMMIT",
    ),
    ("V3__c.sql", "INSERT INTO a VALUES (4)"),
];

/// Returns the interval between cuts. The variable LOCKAGE_TEST_EVERY_CUT makes it 1: the tests then take minutes.
#[expect(
    clippy::disallowed_methods,
    reason = "a test program reads its environment"
)]
fn cut_interval(default: usize) -> usize {
    match std::env::var_os("LOCKAGE_TEST_EVERY_CUT") {
        Some(_) => 1,
        None => default,
    }
}

/// Cuts the connection before and after every `interval`-th message, in a run each.
async fn cut_at_every_message(
    database: &TestDatabase,
    strategy: LockStrategy,
    interval: usize,
) -> Result<(), TestError> {
    let proxy = Proxy::start(database.host()).await?;
    with_lock_strategy(runner(&proxy.url(database), FILES)?, strategy)
        .up()
        .await?;
    let round_trips = proxy.round_trips();
    for round_trip in (1..=round_trips).step_by(interval) {
        for cut in [Cut::Before(round_trip), Cut::After(round_trip)] {
            database
                .execute("DROP TABLE IF EXISTS a, lockage_history, lockage_journal, lockage_lock")
                .await?;
            let proxy = Proxy::start(database.host()).await?;
            proxy.cut_at(cut);
            let run = with_lock_strategy(runner(&proxy.url(database), FILES)?, strategy);
            let report = match run.up().await {
                Ok(report) => report,
                // Nothing was lost: the cut hit the connect of the run.
                Err(error) if error.kind() == ErrorKind::Connect && !proxy.is_cut_pending() => {
                    run.up().await?
                }
                Err(error) => return Err(format!("{cut:?}: {error:?}").into()),
            };
            assert_eq!(applied_versions(&report), ["1", "2", "3"], "{cut:?}");
            assert_eq!(
                database.texts("SELECT n FROM a ORDER BY n").await?,
                ["1", "2", "3", "4"],
                "{cut:?}"
            );
        }
    }
    Ok(())
}

async fn connection_cut_at_any_message_applies_each_migration_once(
    database: &TestDatabase,
) -> Result<(), TestError> {
    cut_at_every_message(database, LockStrategy::Auto, cut_interval(7)).await
}

async fn connection_cut_at_any_message_with_table_lock(
    database: &TestDatabase,
) -> Result<(), TestError> {
    cut_at_every_message(database, LockStrategy::Table, cut_interval(11)).await
}

async fn killed_session_does_not_reconnect(database: &TestDatabase) -> Result<(), TestError> {
    let runner = database.runner(&[("V1__a.sql", "SELECT pg_sleep(600)")])?;
    let running = spawn_up(runner);
    database.wait_until(SLEEPING).await?;
    database.execute(TERMINATE_LOCK_HOLDER).await?;
    let error = error_of(running.await?, ErrorKind::SessionLost)?;
    assert!(!error.is_connection_lost(), "{error:?}");
    Ok(())
}

async fn repeated_server_crash_stops_retrying(database: &TestDatabase) -> Result<(), TestError> {
    database.execute("CREATE SEQUENCE tries").await?;
    let proxy = Proxy::start(database.host()).await?;
    let runner = runner(
        &proxy.url(database),
        &[("V1__a.sql", "SELECT nextval('tries'); SELECT pg_sleep(600)")],
    )?;
    let running = spawn_up(runner);
    let client = database.client().await?;
    while !running.is_finished() {
        if !first_column(&client, SLEEPING).await?.is_empty() {
            proxy.cut();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let error = error_of(running.await?, ErrorKind::SessionLost)?;
    assert!(hint_contains(&error, "4 times"), "{error:?}");
    // Some connections may be cut before they run the statement.
    let tries: u32 = database
        .text("SELECT last_value FROM tries")
        .await?
        .parse()?;
    assert!(tries <= 4, "{tries} tries");
    Ok(())
}
