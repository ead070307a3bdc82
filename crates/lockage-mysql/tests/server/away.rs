//! Lines that are cut, and sessions that somebody ends, in the middle of a run.

use lockage_mysql::lockage_core::{ErrorKind, LockKey, LockStrategy};
use lockage_testkit::Failure;
use mysql_async::prelude::Queryable;

use crate::cuts::{empty, step, with};
use crate::locking::{connect, lock};
use crate::place::{Place, runner};
use crate::proxy::{Cut, Proxy};
use crate::voyage::{FILES, traces};
use crate::witness::client;

crate::tests!(
    cut_at_any_message_a_run_applies_everything_once_and_says_so,
    cut_at_any_message_with_the_lock_in_a_table_a_run_goes_on,
    a_line_that_is_cut_mid_statement_is_made_anew,
    a_session_that_somebody_ended_is_not_made_anew,
    a_server_that_a_statement_brings_down_is_not_asked_for_ever,
);

/// How often the server has been told to end something. Where that happens during a run, a line that is cut cannot be told from it.
async fn kills(place: &Place) -> Result<u64, Failure> {
    let row: Option<(String, u64)> = client(&place.url())
        .await?
        .query_first("SHOW GLOBAL STATUS LIKE 'Com_kill'")
        .await?;
    Ok(row.ok_or("no such counter")?.1)
}

/// The sessions in a statement that begins so.
async fn busy(place: &Place, beginning: &str) -> Result<Vec<String>, Failure> {
    place
        .texts(&format!(
            "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{}' AND COMMAND = 'Query' AND INFO LIKE '{beginning}%'",
            place.name()
        ))
        .await
}

/// Waits for such a session.
async fn until_busy(place: &Place, beginning: &str) -> Result<String, Failure> {
    loop {
        if let Some(session) = busy(place, beginning).await?.pop() {
            return Ok(session);
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// The versions that a run has applied through a line that is cut once.
async fn applied(place: &Place, strategy: LockStrategy, cut: &Cut) -> Result<Vec<String>, Failure> {
    for _ in 0..50 {
        empty(place).await?;
        let before = kills(place).await?;
        let proxy = Proxy::start(place.host()).await?;
        proxy.cut_once(cut.clone());
        let run = with(runner(&place.url_at(&proxy.address()), FILES)?, strategy);
        let report = match run.up().await {
            Ok(report) => report,
            // The first connection is nobody's loss.
            Err(error) if error.kind() == ErrorKind::Connect && proxy.has_cut() => run.up().await?,
            // Other tests end sessions on the same server.
            Err(error)
                if error.kind() == ErrorKind::SessionLost && kills(place).await? != before =>
            {
                continue;
            }
            Err(error) => return Err(format!("{cut:?}: {error:?}").into()),
        };
        return Ok(report
            .applied
            .into_iter()
            .filter_map(|migration| migration.version)
            .collect());
    }
    Err(format!("{cut:?}: sessions are ended all the time").into())
}

async fn cut_everywhere(place: &Place, strategy: LockStrategy, step: usize) -> Result<(), Failure> {
    let proxy = Proxy::start(place.host()).await?;
    with(runner(&place.url_at(&proxy.address()), FILES)?, strategy)
        .up()
        .await?;
    let expected = traces(&place.url()).await?;
    let turns = proxy.turns().await;
    drop(proxy);
    for turn in (1..=turns).step_by(step) {
        for cut in [Cut::Before(turn), Cut::Behind(turn)] {
            assert_eq!(
                applied(place, strategy, &cut).await?,
                ["1", "2", "3"],
                "{cut:?}"
            );
            let found = traces(&place.url()).await?;
            assert_eq!(found, expected, "{cut:?}");
        }
    }
    Ok(())
}

async fn cut_at_any_message_a_run_applies_everything_once_and_says_so(
    place: &Place,
) -> Result<(), Failure> {
    cut_everywhere(place, LockStrategy::Auto, step(17)).await
}

async fn cut_at_any_message_with_the_lock_in_a_table_a_run_goes_on(
    place: &Place,
) -> Result<(), Failure> {
    cut_everywhere(place, LockStrategy::Table, step(37)).await
}

/// In a statement that shares a transaction, and in one that commits by itself; by an account without a right more than it needs.
async fn a_line_that_is_cut_mid_statement_is_made_anew(place: &Place) -> Result<(), Failure> {
    place
        .execute("CREATE TABLE gate (n INT) AS SELECT 600 AS n")
        .await?;
    place.execute("CREATE TABLE a (n INT)").await?;
    let (name, url) = place.account("ALL PRIVILEGES").await?;
    let proxy = Proxy::start(place.host()).await?;
    let url = format!(
        "{}?ssl-mode=disabled",
        url.replace(place.host(), &proxy.address())
    );
    let script = "INSERT INTO a VALUES (1); SELECT SLEEP((SELECT n FROM gate)); INSERT INTO a VALUES (2); \
                  ALTER TABLE a ADD COLUMN m INT; INSERT INTO a VALUES (3, 3)";
    let run = runner(&url, &[("V1__a.sql", script)])?;
    let running = tokio::spawn(async move { run.up().await });
    until_busy(place, "SELECT SLEEP").await?;
    place.execute("UPDATE gate SET n = 0").await?;
    let mut reader = client(&place.url()).await?;
    // It keeps the table from being altered.
    reader
        .query_drop("START TRANSACTION; SELECT * FROM a")
        .await?;
    proxy.cut_now();
    until_busy(place, "ALTER TABLE a").await?;
    proxy.cut_now();
    reader.disconnect().await?;
    let report = running.await?;
    place.drop_account(&name).await?;
    assert_eq!(report?.applied.len(), 1);
    assert_eq!(
        place
            .texts("SELECT CONCAT_WS('|', n, m) FROM a ORDER BY n")
            .await?,
        ["1", "2", "3|3"]
    );
    Ok(())
}

/// While it is idle, and in the middle of a statement.
async fn a_session_that_somebody_ended_is_not_made_anew(place: &Place) -> Result<(), Failure> {
    let session = connect(&place.url()).await?;
    let mut locked = lock(session, &LockKey::default()).await?;
    let session = place
        .text(&format!(
            "SELECT IS_USED_LOCK('lockage:4006:{}')",
            place.name()
        ))
        .await?;
    place
        .execute_at_the_server(&format!("KILL {session}"))
        .await?;
    let idle = locked.holds().await.err().ok_or("it holds the lock")?;
    drop(locked);
    let run = place.runner(&[("V1__a.sql", "DO SLEEP(600)")])?;
    let running = tokio::spawn(async move { run.up().await });
    let session = until_busy(place, "DO SLEEP").await?;
    place
        .execute_at_the_server(&format!("KILL {session}"))
        .await?;
    let at_work = running.await?.err().ok_or("it went on")?;
    for error in [idle, at_work] {
        assert_eq!(error.kind(), ErrorKind::SessionLost, "{error:?}");
        assert!(!error.is_connection_lost(), "{error:?}");
    }
    Ok(())
}

async fn a_server_that_a_statement_brings_down_is_not_asked_for_ever(
    place: &Place,
) -> Result<(), Failure> {
    let proxy = Proxy::start(place.host()).await?;
    let run = runner(
        &place.url_at(&proxy.address()),
        &[("V1__a.sql", "DO SLEEP(600)")],
    )?;
    let running = tokio::spawn(async move { run.up().await });
    let mut cut = Vec::new();
    while !running.is_finished() {
        for session in busy(place, "DO SLEEP").await? {
            if !cut.contains(&session) {
                proxy.cut_now();
                cut.push(session);
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let error = running.await?.err().ok_or("it slept for ten minutes")?;
    assert_eq!(error.kind(), ErrorKind::SessionLost, "{error:?}");
    assert!(
        error.hint().is_some_and(|hint| hint.contains("4 times")),
        "{error:?}"
    );
    assert_eq!(cut.len(), 4, "tries");
    Ok(())
}
