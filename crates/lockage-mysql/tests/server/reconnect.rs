//! Connections that are cut, and sessions that are killed, during a run.

use lockage_mysql::lockage_core::{ErrorKind, LockKey, LockStrategy};
use lockage_testkit::TestError;
use mysql_async::prelude::Queryable;

use crate::connection_cuts::{reset, step, with_strategy};
use crate::direct_client::client;
use crate::lock_client::{connect, lock};
use crate::runner::runner;
use crate::sample_migrations::{FILES, effects};
use crate::tcp_proxy::{Cut, TcpProxy};
use crate::test_database::TestDatabase;

crate::test_list::tests!(
    reconnect_after_cut_at_any_message_applies_each_migration_once,
    reconnect_with_table_lock_applies_each_migration_once,
    connection_cut_mid_statement_reconnects,
    killed_session_does_not_reconnect,
    repeated_server_crash_stops_retrying,
);

/// Returns how often the server ran KILL. If the count changes during a run, a cut cannot be distinguished from a kill.
async fn kill_count(database: &TestDatabase) -> Result<u64, TestError> {
    let row: Option<(String, u64)> = client(&database.url())
        .await?
        .query_first("SHOW GLOBAL STATUS LIKE 'Com_kill'")
        .await?;
    Ok(row.ok_or("no such counter")?.1)
}

/// Returns the sessions that run a statement with this beginning.
async fn sessions_running(
    database: &TestDatabase,
    beginning: &str,
) -> Result<Vec<String>, TestError> {
    database
        .texts(&format!(
            "{} AND COMMAND = 'Query'",
            database.sessions_running(beginning)
        ))
        .await
}

/// Waits for a session that runs a statement with this beginning, and returns it.
async fn wait_for_session_running(
    database: &TestDatabase,
    beginning: &str,
) -> Result<String, TestError> {
    loop {
        if let Some(session) = sessions_running(database, beginning).await?.pop() {
            return Ok(session);
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Returns the versions that a run applied through a connection that is cut once.
async fn versions_applied(
    database: &TestDatabase,
    strategy: LockStrategy,
    cut: &Cut,
) -> Result<Vec<String>, TestError> {
    for _ in 0..50 {
        reset(database).await?;
        let before = kill_count(database).await?;
        let proxy = TcpProxy::start(database.host()).await?;
        proxy.cut_once(cut.clone());
        let run = with_strategy(
            runner(&database.url_via(&proxy.address()), FILES)?,
            strategy,
        );
        let report = match run.up().await {
            Ok(report) => report,
            // A run does not retry its first connection.
            Err(error) if error.kind() == ErrorKind::Connect && proxy.has_cut() => run.up().await?,
            // Other tests kill sessions on the same server.
            Err(error)
                if error.kind() == ErrorKind::SessionLost
                    && kill_count(database).await? != before =>
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
    Err(format!("{cut:?}: other tests kill sessions all the time").into())
}

async fn cut_everywhere(
    database: &TestDatabase,
    strategy: LockStrategy,
    step: usize,
) -> Result<(), TestError> {
    let proxy = TcpProxy::start(database.host()).await?;
    with_strategy(
        runner(&database.url_via(&proxy.address()), FILES)?,
        strategy,
    )
    .up()
    .await?;
    let expected = effects(&database.url()).await?;
    let requests = proxy.requests().await;
    drop(proxy);
    for request in (1..=requests).step_by(step) {
        for cut in [Cut::Before(request), Cut::After(request)] {
            // A session of the previous run may still be ended by KILL, which the next run would take for another client's.
            database
                .wait_for_row(
                    "SELECT 1 FROM (SELECT COUNT(*) AS sessions FROM information_schema.PROCESSLIST \
                     WHERE DB = DATABASE() AND ID <> CONNECTION_ID()) AS others WHERE sessions = 0",
                )
                .await?;
            assert_eq!(
                versions_applied(database, strategy, &cut).await?,
                ["1", "2", "3"],
                "{cut:?}"
            );
            let found = effects(&database.url()).await?;
            assert_eq!(found, expected, "{cut:?}");
        }
    }
    Ok(())
}

async fn reconnect_after_cut_at_any_message_applies_each_migration_once(
    database: &TestDatabase,
) -> Result<(), TestError> {
    cut_everywhere(database, LockStrategy::Auto, step(17)).await
}

async fn reconnect_with_table_lock_applies_each_migration_once(
    database: &TestDatabase,
) -> Result<(), TestError> {
    cut_everywhere(database, LockStrategy::Table, step(37)).await
}

/// The connection is cut in a statement that shares a transaction, and in one that commits by itself. The account has only the privileges
/// that it needs.
async fn connection_cut_mid_statement_reconnects(database: &TestDatabase) -> Result<(), TestError> {
    database
        .execute("CREATE TABLE delay (n INT) AS SELECT 600 AS n")
        .await?;
    database.execute("CREATE TABLE a (n INT)").await?;
    let (name, url) = database.create_account("ALL PRIVILEGES").await?;
    let proxy = TcpProxy::start(database.host()).await?;
    let url = format!(
        "{}?ssl-mode=disabled",
        url.replace(database.host(), &proxy.address())
    );
    let script = "INSERT INTO a VALUES (1); SELECT SLEEP((SELECT n FROM delay)); INSERT INTO a VALUES (2); \
                  ALTER TABLE a ADD COLUMN m INT; INSERT INTO a VALUES (3, 3)";
    let run = runner(&url, &[("V1__a.sql", script)])?;
    let running = tokio::spawn(async move { run.up().await });
    wait_for_session_running(database, "SELECT SLEEP").await?;
    database.execute("UPDATE delay SET n = 0").await?;
    let mut reader = client(&database.url()).await?;
    // The transaction prevents the ALTER TABLE from getting its lock.
    reader
        .query_drop("START TRANSACTION; SELECT * FROM a")
        .await?;
    proxy.cut_now();
    wait_for_session_running(database, "ALTER TABLE a").await?;
    proxy.cut_now();
    reader.disconnect().await?;
    let report = running.await?;
    database.drop_account(&name).await?;
    assert_eq!(report?.applied.len(), 1);
    assert_eq!(
        database
            .texts("SELECT CONCAT_WS('|', n, m) FROM a ORDER BY n")
            .await?,
        ["1", "2", "3|3"]
    );
    Ok(())
}

/// The session is killed while it is idle, and during a statement.
async fn killed_session_does_not_reconnect(database: &TestDatabase) -> Result<(), TestError> {
    let session = connect(&database.url()).await?;
    let mut locked = lock(session, &LockKey::default()).await?;
    let session = database
        .text(&format!(
            "SELECT IS_USED_LOCK('lockage:4006:{}')",
            database.name()
        ))
        .await?;
    database
        .execute_on_server(&format!("KILL {session}"))
        .await?;
    let idle = locked
        .holds()
        .await
        .err()
        .ok_or("the killed session holds the lock")?;
    drop(locked);
    let run = database.runner(&[("V1__a.sql", "DO SLEEP(600)")])?;
    let running = tokio::spawn(async move { run.up().await });
    let session = wait_for_session_running(database, "DO SLEEP").await?;
    database
        .execute_on_server(&format!("KILL {session}"))
        .await?;
    let busy = running.await?.err().ok_or("the run reconnected")?;
    for error in [idle, busy.into()] {
        assert_eq!(error.kind(), ErrorKind::SessionLost, "{error:?}");
        assert!(!error.is_connection_lost(), "{error:?}");
    }
    Ok(())
}

async fn repeated_server_crash_stops_retrying(database: &TestDatabase) -> Result<(), TestError> {
    let proxy = TcpProxy::start(database.host()).await?;
    let run = runner(
        &database.url_via(&proxy.address()),
        &[("V1__a.sql", "DO SLEEP(600)")],
    )?;
    let running = tokio::spawn(async move { run.up().await });
    let mut cut_sessions = Vec::new();
    while !running.is_finished() {
        for session in sessions_running(database, "DO SLEEP").await? {
            if !cut_sessions.contains(&session) {
                proxy.cut_now();
                cut_sessions.push(session);
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let error = running.await?.err().ok_or("the statement was not cut")?;
    assert_eq!(error.kind(), ErrorKind::SessionLost, "{error:?}");
    assert!(
        error.hint().is_some_and(|hint| hint.contains("4 times")),
        "{error:?}"
    );
    assert_eq!(cut_sessions.len(), 4, "attempts");
    Ok(())
}
