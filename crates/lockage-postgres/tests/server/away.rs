//! Servers that go away, and lines that are cut, in the middle of a run.

use std::time::Duration;

use lockage_core::{ErrorKind, LockStrategy, Outcome, Runner};
use lockage_testkit::Failure;
use lockage_testkit::engine::PostgresServer;

use crate::dock;
use crate::place::{Place, runner, until};
use crate::proxy::{Cut, Proxy};

crate::tests!(
    a_server_that_is_restarted_is_waited_for,
    a_line_that_is_cut_mid_statement_is_made_anew,
    cut_at_any_message_a_run_applies_everything_once_and_says_so,
    cut_at_any_message_with_the_lock_in_a_table,
    a_session_that_somebody_ended_is_not_made_anew,
    a_server_that_a_statement_brings_down_is_not_asked_for_ever,
);

const ASLEEP: &str = "SELECT 1 FROM here.sessions WHERE wait_event = 'PgSleep'";

fn through(proxy: &Proxy, place: &Place) -> String {
    place
        .url()
        .replace(place.host(), &format!("127.0.0.1:{}", proxy.port))
}

/// Ends a server as an administrator does: sessions are told, and nobody is let in.
fn shut_down(server: &PostgresServer) -> Result<(), Failure> {
    let status = std::fs::read_to_string(server.folder().join("data/postmaster.pid"))?;
    let pid = status.lines().next().ok_or("no process")?;
    std::process::Command::new("kill")
        .args(["-s", "INT", pid])
        .status()?;
    Ok(())
}

async fn a_server_that_is_restarted_is_waited_for(_: &Place) -> Result<(), Failure> {
    let mut server = dock::server(crate::path(), &[])?;
    for (round, how) in ["shut down", "stopped", "killed"].into_iter().enumerate() {
        let address = |server: &PostgresServer| format!("127.0.0.1:{}", server.port());
        let place = Place::new(server.url("postgres")).await?;
        let proxy = Proxy::start(&address(&server)).await?;
        let started = place.text("SELECT pg_postmaster_start_time()").await?;
        let sleeps = format!(
            "CREATE TABLE b (n int);\nINSERT INTO a VALUES (2);\n\
             SELECT pg_sleep(600) WHERE pg_postmaster_start_time() = '{started}'"
        );
        let files = [
            (
                "V1__a.sql",
                "CREATE TABLE a (n int); INSERT INTO a VALUES (1)",
            ),
            ("V2__b.sql", &*sleeps),
            ("V3__c.sql", "INSERT INTO a VALUES (3)"),
        ];
        let runner = runner(&through(&proxy, &place), &files)?;
        let running = tokio::spawn(async move { runner.up().await });
        until(&place.client().await?, ASLEEP).await?;
        match how {
            "shut down" => {
                shut_down(&server)?;
                server.stop()?;
            }
            "stopped" => server.stop()?,
            _ => server.kill()?,
        }
        server.restart()?;
        proxy.lead_to(&address(&server));
        let report = running.await??;
        assert_eq!(report.outcome, Outcome::Applied, "{how}");
        let applied: Vec<_> = report
            .applied
            .iter()
            .filter_map(|migration| migration.version.as_deref())
            .collect();
        assert_eq!(applied, ["1", "2", "3"], "{how}");
        let place = place.moved_to(server.url("postgres"));
        assert_eq!(
            place.texts("SELECT n FROM a ORDER BY n").await?,
            ["1", "2", "3"],
            "round {round}"
        );
    }
    Ok(())
}

async fn a_line_that_is_cut_mid_statement_is_made_anew(place: &Place) -> Result<(), Failure> {
    place.execute("CREATE SEQUENCE tries").await?;
    let proxy = Proxy::start(place.host()).await?;
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
    let runner = runner(&through(&proxy, place), &files)?;
    let running = tokio::spawn(async move { runner.up().await });
    until(&place.client().await?, ASLEEP).await?;
    proxy.cut();
    let report = running.await??;
    assert_eq!(report.applied.len(), 2);
    assert_eq!(place.texts("SELECT n FROM a ORDER BY n").await?, ["1", "2"]);
    Ok(())
}

/// With a transaction, without, and with one of the script's own.
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

/// Every so many messages; LOCKAGE_TEST_EVERY_CUT in the environment asks for all of them, which takes minutes on a busy machine.
#[expect(
    clippy::disallowed_methods,
    reason = "a test program reads its environment"
)]
fn step(usual: usize) -> usize {
    match std::env::var_os("LOCKAGE_TEST_EVERY_CUT") {
        Some(_) => 1,
        None => usual,
    }
}

async fn cut_everywhere(place: &Place, strategy: LockStrategy, step: usize) -> Result<(), Failure> {
    let with = |runner: Runner| runner.connect_options(|options| options.lock_strategy = strategy);
    let proxy = Proxy::start(place.host()).await?;
    with(runner(&through(&proxy, place), FILES)?).up().await?;
    let turns = proxy.turns();
    for turn in (1..=turns).step_by(step) {
        for cut in [Cut::Before(turn), Cut::Behind(turn)] {
            place
                .execute("DROP TABLE IF EXISTS a, lockage_history, lockage_journal, lockage_lock")
                .await?;
            let proxy = Proxy::start(place.host()).await?;
            proxy.cut_at(cut);
            let run = with(runner(&through(&proxy, place), FILES)?);
            let report = match run.up().await {
                Ok(report) => report,
                // The first connection is nobody's loss.
                Err(error) if error.kind() == ErrorKind::Connect && !proxy.is_whole() => {
                    run.up().await?
                }
                Err(error) => return Err(format!("{cut:?}: {error:?}").into()),
            };
            let applied: Vec<_> = report
                .applied
                .iter()
                .filter_map(|migration| migration.version.as_deref())
                .collect();
            assert_eq!(applied, ["1", "2", "3"], "{cut:?}");
            assert_eq!(
                place.texts("SELECT n FROM a ORDER BY n").await?,
                ["1", "2", "3", "4"],
                "{cut:?}"
            );
        }
    }
    Ok(())
}

async fn cut_at_any_message_a_run_applies_everything_once_and_says_so(
    place: &Place,
) -> Result<(), Failure> {
    cut_everywhere(place, LockStrategy::Auto, step(7)).await
}

async fn cut_at_any_message_with_the_lock_in_a_table(place: &Place) -> Result<(), Failure> {
    cut_everywhere(place, LockStrategy::Table, step(11)).await
}

async fn a_session_that_somebody_ended_is_not_made_anew(place: &Place) -> Result<(), Failure> {
    let runner = place.runner(&[("V1__a.sql", "SELECT pg_sleep(600)")])?;
    let running = tokio::spawn(async move { runner.up().await });
    let client = place.client().await?;
    until(&client, ASLEEP).await?;
    place
        .execute("SELECT pg_terminate_backend(pid) FROM here.locks WHERE locktype = 'advisory'")
        .await?;
    let error = running.await?.err().ok_or("it went on")?;
    assert_eq!(error.kind(), ErrorKind::SessionLost, "{error:?}");
    assert!(!error.is_connection_lost(), "{error:?}");
    Ok(())
}

async fn a_server_that_a_statement_brings_down_is_not_asked_for_ever(
    place: &Place,
) -> Result<(), Failure> {
    place.execute("CREATE SEQUENCE tries").await?;
    let proxy = std::sync::Arc::new(Proxy::start(place.host()).await?);
    let runner = runner(
        &through(&proxy, place),
        &[("V1__a.sql", "SELECT nextval('tries'); SELECT pg_sleep(600)")],
    )?;
    let running = tokio::spawn(async move { runner.up().await });
    let client = place.client().await?;
    while !running.is_finished() {
        if !crate::place::texts(&client, ASLEEP).await?.is_empty() {
            proxy.cut();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let error = running.await?.err().ok_or("it slept for ten minutes")?;
    assert_eq!(error.kind(), ErrorKind::SessionLost, "{error:?}");
    assert!(
        error.hint().is_some_and(|hint| hint.contains("4 times")),
        "{error:?}"
    );
    // A line may have been cut before it came to the statement.
    let tries: u32 = place.text("SELECT last_value FROM tries").await?.parse()?;
    assert!(tries <= 4, "{tries} tries");
    Ok(())
}
