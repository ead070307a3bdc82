//! The lock in a table: leases, takeovers, fences.

use std::time::Duration;

use lockage_mysql::BACKEND;
use lockage_mysql::lockage_core::{
    TryLock, ConnectOptions, ErrorKind, LockKey, LockStrategy, Locked, MigrationSet, NoObserver,
    PlanOptions, Registry, Runner, Unlocked, plan,
};
use lockage_testkit::TestError;

use crate::locking::{self, lock_at_last};
use crate::place::{Place, runner};
use crate::proxy::Proxy;

crate::tests!(
    the_row_tells_who_holds_it,
    many_make_the_table_at_once,
    a_lease_that_ran_out_is_taken_over,
    a_lease_is_renewed_while_the_session_is_busy,
    a_holder_is_ended_and_its_row_given_back,
    a_superseded_holder_commits_nothing,
    a_vanished_holder_is_ended_before_its_row_is_taken,
    the_two_kinds_of_lock_exclude_each_other,
);

/// How long a session that is ended may take to end.
const PATIENCE: Duration = Duration::from_secs(60);

async fn connect(place: &Place) -> Result<Unlocked, TestError> {
    connect_by(&place.url(), LockStrategy::Table).await
}

async fn connect_by(url: &str, strategy: LockStrategy) -> Result<Unlocked, TestError> {
    let mut options = ConnectOptions::new(url)?;
    options.lock_strategy = strategy;
    Ok(Registry::default().with(BACKEND)?.connect(&options).await?)
}

async fn lock(place: &Place) -> Result<Locked, TestError> {
    locking::lock(connect(place).await?, &LockKey::default()).await
}

async fn the_row_tells_who_holds_it(place: &Place) -> Result<(), TestError> {
    let locked = lock(place).await?;
    let holder = connect(place)
        .await?
        .holder(&LockKey::default())
        .await?
        .ok_or("nobody")?;
    assert!(
        holder.session.is_some()
            && holder.user.is_some()
            && holder.host.is_some()
            && holder.since.is_some(),
        "{holder:?}"
    );
    assert_eq!(place.text("SELECT label FROM lockage_lock").await?, "4006");
    locked.release().await?;
    assert_eq!(
        connect(place).await?.holder(&LockKey::default()).await?,
        None
    );
    Ok(())
}

async fn many_make_the_table_at_once(place: &Place) -> Result<(), TestError> {
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let session = connect(place).await?;
        tries.spawn(async move { session.try_lock(&LockKey::default()).await });
    }
    let mut got = Vec::new();
    while let Some(done) = tries.join_next().await {
        if let TryLock::Acquired(locked) = done?? {
            got.push(locked);
        }
    }
    assert_eq!(got.len(), 1, "sessions that hold the lock");
    assert_eq!(place.text("SELECT fence FROM lockage_lock").await?, "1");
    Ok(())
}

async fn a_lease_that_ran_out_is_taken_over(place: &Place) -> Result<(), TestError> {
    lock(place).await?.release().await?;
    place
        .execute(
            "UPDATE lockage_lock SET token = 'dead', lease_until = lease_until + 99999999999999",
        )
        .await?;
    let alive = connect(place).await?.try_lock(&LockKey::default()).await?;
    assert!(
        matches!(alive, TryLock::Busy(_)),
        "a lease that runs on was taken"
    );
    place
        .execute("UPDATE lockage_lock SET lease_until = 1")
        .await?;
    lock(place).await?.release().await?;
    assert_eq!(place.text("SELECT fence FROM lockage_lock").await?, "2");
    // A holder that is dropped gives the lock back as soon as its session has ended.
    drop(lock(place).await?);
    place
        .until("SELECT 1 FROM lockage_lock WHERE token = ''")
        .await
}

/// Also where the script asks for transactions that lock whatever they read.
async fn a_lease_is_renewed_while_the_session_is_busy(place: &Place) -> Result<(), TestError> {
    let files = [
        ("V1__a.sql", "DO SLEEP(12)"),
        (
            "V2__b.sql",
            "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE; DO SLEEP(12)",
        ),
    ];
    let running = format!(
        "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{}' AND INFO = 'DO SLEEP(12)'",
        place.name()
    );
    for count in 1..=files.len() {
        let mut locked = lock(place).await?;
        let set = MigrationSet::from_texts(files[..count].iter().copied())?;
        let steps = plan::plan(&set, &locked.history().await?, &PlanOptions::default())?.steps;
        locked.ensure_history().await?;
        let step = steps[0].clone();
        let work =
            tokio::spawn(async move { locked.apply(&step, &NoObserver).await.map(|_| locked) });
        place.until(&running).await?;
        let before: i64 = place.text("SELECT beat FROM lockage_lock").await?.parse()?;
        place
            .until(&format!("SELECT 1 FROM lockage_lock WHERE beat > {before}"))
            .await?;
        assert!(
            !place.texts(&running).await?.is_empty(),
            "the lease was renewed only when the statement had ended, in {:?}",
            files[count - 1]
        );
        work.await??.release().await?;
    }
    Ok(())
}

/// Whoever asks, with whatever kind of lock; the right to end the session is needed.
async fn a_holder_is_ended_and_its_row_given_back(place: &Place) -> Result<(), TestError> {
    let (name, stranger) = place.account("ALL PRIVILEGES").await?;
    let url = place.url();
    for strategy in [LockStrategy::Table, LockStrategy::Auto] {
        let by = |url: &str, strategy| -> Result<Runner, TestError> {
            Ok(runner(url, &[("V1__a.sql", "DO SLEEP(600)")])?
                .connect_options(|options| options.lock_strategy = strategy))
        };
        let run = by(&url, LockStrategy::Table)?;
        let running = tokio::spawn(async move { run.up().await });
        place
            .until(&format!(
                "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{}' AND INFO = 'DO SLEEP(600)'",
                place.name()
            ))
            .await?;
        let breaker = by(&url, strategy)?;
        let holder = breaker.lock_holder().await?.ok_or("nobody holds it")?;
        let session = holder.session.clone().ok_or("no session")?;
        let refused = by(&stranger, strategy)?.terminate_holder(&holder, PATIENCE).await;
        let refused = refused.err().ok_or("a stranger ended it")?;
        let statement = format!("KILL {}", session.split('@').next().unwrap_or_default());
        assert!(
            refused.kind() == ErrorKind::Unsupported
                && refused.hint().is_some_and(|hint| hint.contains(&statement)),
            "{refused:?}"
        );
        assert!(!running.is_finished(), "it was ended all the same");
        // One that is meant no more is left alone.
        let mut other = holder.clone();
        other.since = Some("2001-01-01T00:00:00.000000Z".into());
        breaker
            .terminate_holder(&other, Duration::ZERO)
            .await
            .unwrap_err();
        assert!(!running.is_finished(), "another holder was ended");
        breaker.terminate_holder(&holder, PATIENCE).await?;
        lock(place).await?.release().await?;
        let error = running.await?.err().ok_or("it went on")?;
        assert!(
            matches!(error.kind(), ErrorKind::SessionLost | ErrorKind::LockLost),
            "{error:?}"
        );
    }
    place.drop_account(&name).await
}

async fn a_superseded_holder_commits_nothing(place: &Place) -> Result<(), TestError> {
    let set = MigrationSet::from_texts([(
        "V1__a.sql",
        "CREATE TABLE a (n INT); INSERT INTO a VALUES (1); INSERT INTO a VALUES (2);",
    )])?;
    let mut locked = lock(place).await?;
    locked.ensure_history().await?;
    let steps = plan::plan(&set, &locked.history().await?, &PlanOptions::default())?.steps;
    // Another node gives the lock away in the very moment between the check and the commit.
    place
        .execute(
            "CREATE PROCEDURE take_it() MODIFIES SQL DATA UPDATE lockage_lock SET token = 'thief', lease_until = lease_until + 3600000",
        )
        .await?;
    let script = "CREATE TABLE a (n INT); INSERT INTO a VALUES (1); CALL take_it();";
    let thief = MigrationSet::from_texts([("V1__a.sql", script)])?;
    let thief = plan::plan(&thief, &locked.history().await?, &PlanOptions::default())?.steps;
    let error = locked.apply(&thief[0], &NoObserver).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockLost, "{error:?}");
    assert_eq!(place.texts("SELECT n FROM a").await?, ["1"]);
    place.execute("CALL take_it()").await?;
    let error = locked.apply(&steps[0], &NoObserver).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockLost, "{error:?}");
    assert!(!locked.holds().await?);
    assert_eq!(place.texts("SELECT n FROM a").await?, ["1"]);
    assert_eq!(
        locked.release().await.map(drop).unwrap_err().kind(),
        ErrorKind::LockLost
    );
    Ok(())
}

async fn a_vanished_holder_is_ended_before_its_row_is_taken(place: &Place) -> Result<(), TestError> {
    let proxy = Proxy::start(place.host()).await?;
    let url = place.url_at(&proxy.address());
    let mut locked = locking::lock(
        connect_by(&url, LockStrategy::Table).await?,
        &LockKey::default(),
    )
    .await?;
    let set = MigrationSet::from_texts([(
        "V1__a.sql",
        "CREATE TABLE a (n INT); INSERT INTO a SELECT 1 + SLEEP(100)",
    )])?;
    locked.ensure_history().await?;
    let steps = plan::plan(&set, &locked.history().await?, &PlanOptions::default())?.steps;
    let step = steps[0].clone();
    let work = tokio::spawn(async move { locked.apply(&step, &NoObserver).await.map(|_| locked) });
    let running = format!(
        "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{}' AND INFO LIKE 'INSERT INTO a SELECT%'",
        place.name()
    );
    place.until(&running).await?;
    proxy.go_silent();
    let taken = lock_at_last(connect(place).await?, &LockKey::default()).await?;
    assert_eq!(
        place.texts(&running).await?,
        [""; 0],
        "what the vanished holder had begun goes on under another's lock"
    );
    assert!(!work.is_finished());
    work.abort();
    assert_eq!(place.texts("SELECT n FROM a").await?, [""; 0]);
    taken.release().await?;
    Ok(())
}

async fn the_two_kinds_of_lock_exclude_each_other(place: &Place) -> Result<(), TestError> {
    let (key, url) = (LockKey::default(), place.url());
    for (first, second) in [
        (LockStrategy::Table, LockStrategy::Advisory),
        (LockStrategy::Advisory, LockStrategy::Table),
    ] {
        let held = locking::lock(connect_by(&url, first).await?, &key).await?;
        let TryLock::Busy(mut other) = connect_by(&url, second).await?.try_lock(&key).await? else {
            return Err(format!("{second:?} was got beside {first:?}").into());
        };
        assert!(other.holder(&key).await?.is_some(), "{second:?}");
        held.release().await?;
        locking::lock(other, &key).await?.release().await?;
    }
    Ok(())
}
