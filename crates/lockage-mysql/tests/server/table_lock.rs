//! The lock in a table: leases, takeovers, fencing.

use std::time::Duration;

use lockage_mysql::lockage_core::{
    ErrorKind, LockKey, LockStrategy, Locked, MigrationSet, NoObserver, PlanOptions, Runner,
    TryLock, Unlocked, plan,
};
use lockage_testkit::TestError;

use crate::lock_client::{self, connect_with, lock_when_free};
use crate::runner::runner;
use crate::tcp_proxy::TcpProxy;
use crate::test_database::TestDatabase;

crate::test_list::tests!(
    lock_row_identifies_holder,
    concurrent_table_creation_grants_one_lock,
    expired_lease_is_taken_over,
    lease_is_renewed_during_statement,
    terminated_holder_releases_lease,
    superseded_holder_commits_nothing,
    vanished_holder_is_terminated_before_takeover,
    native_and_table_lock_exclude_each_other,
);

/// How long a terminated session may take to end.
const TERMINATE_TIMEOUT: Duration = Duration::from_secs(60);

async fn connect(database: &TestDatabase) -> Result<Unlocked, TestError> {
    connect_with(&database.url(), LockStrategy::Table).await
}

async fn lock(database: &TestDatabase) -> Result<Locked, TestError> {
    lock_client::lock(connect(database).await?, &LockKey::default()).await
}

async fn lock_row_identifies_holder(database: &TestDatabase) -> Result<(), TestError> {
    let locked = lock(database).await?;
    let holder = connect(database)
        .await?
        .holder(&LockKey::default())
        .await?
        .ok_or("no holder")?;
    assert!(
        holder.session.is_some()
            && holder.user.is_some()
            && holder.host.is_some()
            && holder.since.is_some(),
        "{holder:?}"
    );
    assert_eq!(
        database.text("SELECT label FROM lockage_lock").await?,
        "4006"
    );
    locked.release().await?;
    assert_eq!(
        connect(database).await?.holder(&LockKey::default()).await?,
        None
    );
    Ok(())
}

async fn concurrent_table_creation_grants_one_lock(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let mut attempts = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let session = connect(database).await?;
        attempts.spawn(async move { session.try_lock(&LockKey::default()).await });
    }
    let mut acquired = Vec::new();
    while let Some(done) = attempts.join_next().await {
        if let TryLock::Acquired(locked) = done?? {
            acquired.push(locked);
        }
    }
    assert_eq!(acquired.len(), 1, "sessions that hold the lock");
    assert_eq!(database.text("SELECT fence FROM lockage_lock").await?, "1");
    Ok(())
}

async fn expired_lease_is_taken_over(database: &TestDatabase) -> Result<(), TestError> {
    lock(database).await?.release().await?;
    database
        .execute(
            "UPDATE lockage_lock SET token = 'dead', lease_until = lease_until + 99999999999999",
        )
        .await?;
    let attempt = connect(database)
        .await?
        .try_lock(&LockKey::default())
        .await?;
    assert!(
        matches!(attempt, TryLock::Busy(_)),
        "a lease was taken over before it expired"
    );
    database
        .execute("UPDATE lockage_lock SET lease_until = 1")
        .await?;
    lock(database).await?.release().await?;
    assert_eq!(database.text("SELECT fence FROM lockage_lock").await?, "2");
    // A holder that is dropped releases the lock when its session ends.
    drop(lock(database).await?);
    database
        .wait_for_row("SELECT 1 FROM lockage_lock WHERE token = ''")
        .await
}

/// The second script uses transactions that lock every row that they read.
async fn lease_is_renewed_during_statement(database: &TestDatabase) -> Result<(), TestError> {
    let files = [
        ("V1__a.sql", "DO SLEEP(12)"),
        (
            "V2__b.sql",
            "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE; DO SLEEP(12)",
        ),
    ];
    let running = database.sessions_running("DO SLEEP(12)");
    for count in 1..=files.len() {
        let mut locked = lock(database).await?;
        let set = MigrationSet::from_texts(files[..count].iter().copied())?;
        let steps = plan::plan_up(&set, &locked.history().await?, &PlanOptions::default())?.steps;
        locked.ensure_history().await?;
        let step = steps[0].clone();
        let applying =
            tokio::spawn(async move { locked.apply(&step, &NoObserver).await.map(|_| locked) });
        database.wait_for_row(&running).await?;
        let before: i64 = database
            .text("SELECT beat FROM lockage_lock")
            .await?
            .parse()?;
        database
            .wait_for_row(&format!("SELECT 1 FROM lockage_lock WHERE beat > {before}"))
            .await?;
        assert!(
            !database.texts(&running).await?.is_empty(),
            "the lease was renewed only after the statement, in {:?}",
            files[count - 1]
        );
        applying.await??.release().await?;
    }
    Ok(())
}

/// A session with either lock strategy can terminate the holder, if its user may kill the session.
async fn terminated_holder_releases_lease(database: &TestDatabase) -> Result<(), TestError> {
    let (name, stranger) = database.create_account("ALL PRIVILEGES").await?;
    let url = database.url();
    for strategy in [LockStrategy::Table, LockStrategy::Auto] {
        let runner_with = |url: &str, strategy| -> Result<Runner, TestError> {
            Ok(runner(url, &[("V1__a.sql", "DO SLEEP(600)")])?
                .connect_options(|options| options.lock_strategy = strategy))
        };
        let run = runner_with(&url, LockStrategy::Table)?;
        let running = tokio::spawn(async move { run.up().await });
        database
            .wait_for_row(&database.sessions_running("DO SLEEP(600)"))
            .await?;
        let terminator = runner_with(&url, strategy)?;
        let holder = terminator.lock_holder().await?.ok_or("no holder")?;
        let session = holder.session.clone().ok_or("no session")?;
        let rejected = runner_with(&stranger, strategy)?
            .terminate_holder(&holder, TERMINATE_TIMEOUT)
            .await;
        let rejected = rejected.err().ok_or("another account terminated it")?;
        let statement = format!("KILL {}", session.split('@').next().unwrap_or_default());
        assert!(
            rejected.kind() == ErrorKind::Unsupported
                && rejected
                    .hint()
                    .is_some_and(|hint| hint.contains(&statement)),
            "{rejected:?}"
        );
        assert!(!running.is_finished(), "the holder was terminated");
        // A holder that has changed since it was read is not terminated.
        let mut other = holder.clone();
        other.since = Some("2001-01-01T00:00:00.000000Z".into());
        terminator
            .terminate_holder(&other, Duration::ZERO)
            .await
            .unwrap_err();
        assert!(!running.is_finished(), "another holder was terminated");
        terminator
            .terminate_holder(&holder, TERMINATE_TIMEOUT)
            .await?;
        lock(database).await?.release().await?;
        let error = running.await?.err().ok_or("the run continued")?;
        assert!(
            matches!(error.kind(), ErrorKind::SessionLost | ErrorKind::LockLost),
            "{error:?}"
        );
    }
    database.drop_account(&name).await
}

async fn superseded_holder_commits_nothing(database: &TestDatabase) -> Result<(), TestError> {
    let set = MigrationSet::from_texts([(
        "V1__a.sql",
        "CREATE TABLE a (n INT); INSERT INTO a VALUES (1); INSERT INTO a VALUES (2);",
    )])?;
    let mut locked = lock(database).await?;
    locked.ensure_history().await?;
    let steps = plan::plan_up(&set, &locked.history().await?, &PlanOptions::default())?.steps;
    // The lock is taken over between the check and the commit, as by a session on another node.
    database
        .execute(
            "CREATE PROCEDURE take_over() MODIFIES SQL DATA UPDATE lockage_lock SET token = 'thief', lease_until = lease_until + 3600000",
        )
        .await?;
    let script = "CREATE TABLE a (n INT); INSERT INTO a VALUES (1); CALL take_over();";
    let takeover = MigrationSet::from_texts([("V1__a.sql", script)])?;
    let takeover =
        plan::plan_up(&takeover, &locked.history().await?, &PlanOptions::default())?.steps;
    let error = locked.apply(&takeover[0], &NoObserver).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockLost, "{error:?}");
    assert_eq!(database.texts("SELECT n FROM a").await?, ["1"]);
    database.execute("CALL take_over()").await?;
    let error = locked.apply(&steps[0], &NoObserver).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockLost, "{error:?}");
    assert!(!locked.holds().await?);
    assert_eq!(database.texts("SELECT n FROM a").await?, ["1"]);
    assert_eq!(
        locked.release().await.map(drop).unwrap_err().kind(),
        ErrorKind::LockLost
    );
    Ok(())
}

async fn vanished_holder_is_terminated_before_takeover(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let proxy = TcpProxy::start(database.host()).await?;
    let url = database.url_via(&proxy.address());
    let mut locked = lock_client::lock(
        connect_with(&url, LockStrategy::Table).await?,
        &LockKey::default(),
    )
    .await?;
    let set = MigrationSet::from_texts([(
        "V1__a.sql",
        "CREATE TABLE a (n INT); INSERT INTO a SELECT 1 + SLEEP(100)",
    )])?;
    locked.ensure_history().await?;
    let steps = plan::plan_up(&set, &locked.history().await?, &PlanOptions::default())?.steps;
    let step = steps[0].clone();
    let applying =
        tokio::spawn(async move { locked.apply(&step, &NoObserver).await.map(|_| locked) });
    let running = database.sessions_running("INSERT INTO a SELECT");
    database.wait_for_row(&running).await?;
    proxy.blackhole();
    let acquired = lock_when_free(connect(database).await?, &LockKey::default()).await?;
    assert_eq!(
        database.texts(&running).await?,
        [""; 0],
        "the statement of the vanished holder continues under the lock of another session"
    );
    assert!(!applying.is_finished());
    applying.abort();
    assert_eq!(database.texts("SELECT n FROM a").await?, [""; 0]);
    acquired.release().await?;
    Ok(())
}

async fn native_and_table_lock_exclude_each_other(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let (key, url) = (LockKey::default(), database.url());
    for (first, second) in [
        (LockStrategy::Table, LockStrategy::Advisory),
        (LockStrategy::Advisory, LockStrategy::Table),
    ] {
        let held = lock_client::lock(connect_with(&url, first).await?, &key).await?;
        let TryLock::Busy(mut other) = connect_with(&url, second).await?.try_lock(&key).await?
        else {
            return Err(format!("{second:?} was acquired while {first:?} was held").into());
        };
        assert!(other.holder(&key).await?.is_some(), "{second:?}");
        held.release().await?;
        lock_client::lock(other, &key).await?.release().await?;
    }
    Ok(())
}
