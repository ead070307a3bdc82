//! Several runs that contend for the lock.

use std::time::Duration;

use lockage_core::{Error, ErrorKind, LockKey, LockWait, Outcome, Status};
use tokio::time::Instant;

use crate::fake_database::{fake_database, run_other_tasks, set};
use crate::recorder::EventRecorder;

const TWO_MIGRATIONS: [(&str, &str); 2] = [("V1__users", "takes 20 s"), ("V2__orders", "")];

#[tokio::test(start_paused = true)]
async fn sixteen_runs_apply_each_migration_once() {
    for _ in 0..50 {
        let (database, runner) = fake_database(&TWO_MIGRATIONS);
        let mut runs = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let runner = runner.clone();
            runs.spawn(async move { runner.up().await });
        }
        let reports = runs.join_all().await;
        assert_eq!(database.committed(), "V1__users V2__orders");
        let outcomes = |outcome| {
            reports
                .iter()
                .filter(|r| r.as_ref().unwrap().outcome == outcome)
                .count()
        };
        assert_eq!(
            (outcomes(Outcome::Applied), outcomes(Outcome::UpToDate)),
            (1, 15)
        );
        assert!(
            reports
                .iter()
                .all(|report| report.as_ref().unwrap().pending.is_empty())
        );
        let calls = database.calls().join("\n");
        assert_eq!(calls.matches("ensure_history").count(), 1);
        database.assert_unlocked_and_idle();
    }
}

#[tokio::test(start_paused = true)]
async fn waiter_returns_without_lock_after_holder_finished() {
    let (database, runner) = fake_database(&TWO_MIGRATIONS);
    database.hold();
    let run = tokio::spawn(async move { runner.up().await });
    tokio::time::sleep(Duration::from_secs(20)).await;
    run_other_tasks().await;
    database.write(&set(&TWO_MIGRATIONS));
    database.free();
    let report = run.await.unwrap().unwrap();
    assert_eq!(
        (report.outcome, report.took_lock),
        (Outcome::UpToDate, false)
    );
    assert!(report.waited >= Duration::from_secs(20) && report.waited < Duration::from_secs(21));
    assert!(report.applied.is_empty() && report.pending.is_empty());
    let calls = database.call_names();
    assert!(calls.ends_with("try_lock history close"), "{calls}");
    assert!(
        !calls.contains("unlock") && !calls.contains("ensure_history"),
        "{calls}"
    );
    database.assert_unlocked_and_idle();
}

#[tokio::test(start_paused = true)]
async fn waiter_returns_while_holder_keeps_lock_of_current_schema() {
    let (database, runner) = fake_database(&TWO_MIGRATIONS);
    database.hold();
    let run = tokio::spawn(async move { runner.up().await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    database.write(&set(&TWO_MIGRATIONS));
    assert!(!run.await.unwrap().unwrap().took_lock);
    database.free();
    database.assert_unlocked_and_idle();
}

#[tokio::test(start_paused = true)]
async fn waiter_continues_after_failed_holder() {
    let (database, runner) = fake_database(&TWO_MIGRATIONS);
    database.hold();
    let run = tokio::spawn(async move { runner.up().await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    run_other_tasks().await;
    database.write(&set(&TWO_MIGRATIONS[..1]));
    database.free();
    let report = run.await.unwrap().unwrap();
    assert_eq!((report.outcome, report.took_lock), (Outcome::Applied, true));
    assert_eq!(database.committed(), "V2__orders");
    assert_eq!(report.applied.len(), 1);
    database.assert_unlocked_and_idle();
}

/// The holder finishes between the first read of the history and the try.
#[tokio::test(start_paused = true)]
async fn lock_acquired_after_holder_finished_writes_nothing() {
    let (database, runner) = fake_database(&TWO_MIGRATIONS);
    database.slow("try_lock", Duration::from_secs(1));
    let run = tokio::spawn(async move { runner.up().await });
    run_other_tasks().await;
    database.write(&set(&TWO_MIGRATIONS));
    let report = run.await.unwrap().unwrap();
    assert_eq!(
        (report.outcome, report.took_lock),
        (Outcome::UpToDate, true)
    );
    assert_eq!(
        database.call_names(),
        "connect history try_lock history unlock close"
    );
    assert!(report.pending.is_empty());
    database.assert_unlocked_and_idle();
}

#[tokio::test(start_paused = true)]
async fn lock_timeout_names_holder_and_setting() {
    let (database, runner) = fake_database(&TWO_MIGRATIONS);
    let (runner, recorder) = EventRecorder::attach(&runner);
    database.hold();
    let started_at = Instant::now();
    let runner = runner
        .wait(LockWait::For(Duration::from_secs(10)))
        .lock_key(LockKey::named("shop").unwrap());
    let error = runner.up().await.unwrap_err();
    let waited = started_at.elapsed();
    assert!(
        waited >= Duration::from_secs(10) && waited < Duration::from_secs(11),
        "{waited:?}"
    );
    assert_eq!(error.kind(), ErrorKind::LockTimeout);
    assert!(error.is_temporary());
    assert_eq!(
        error.message(),
        "the lock shop was not obtained within 10.0 s; it is held by app@replica-7 (session 0) \
         since 2026-01-31T09:30:00Z, at migration 3 orders. Nothing was written"
    );
    for setting in ["--wait", "LOCKAGE_WAIT", "Runner::wait"] {
        assert!(error.hint().unwrap().contains(setting));
    }
    let report = error.report().unwrap();
    assert_eq!(
        (report.outcome, report.took_lock, report.pending.len()),
        (Outcome::Failed, false, 2)
    );
    assert!(report.waited >= Duration::from_secs(10));
    let waiting = |s| format!("waiting for shop {s} s holder replica-7");
    assert_eq!(
        recorder.all(),
        ["connected".to_owned(), waiting(1), waiting(3), waiting(7)]
    );
    database.free();
    database.assert_unlocked_and_idle();
    assert_eq!(database.committed(), "");
}

#[tokio::test(start_paused = true)]
async fn no_wait_fails_immediately() {
    let (database, runner) = fake_database(&TWO_MIGRATIONS);
    database.hold();
    let started_at = Instant::now();
    let error = runner.wait(LockWait::Never).up().await.unwrap_err();
    assert_eq!(
        (error.kind(), started_at.elapsed()),
        (ErrorKind::LockTimeout, Duration::ZERO)
    );
    assert_eq!(database.call_names().matches("try_lock").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn wait_forever_has_no_deadline() {
    let (database, runner) = fake_database(&TWO_MIGRATIONS);
    database.hold();
    let run = tokio::spawn(async move { runner.wait(LockWait::Forever).up().await });
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(!run.is_finished());
    database.free();
    assert_eq!(run.await.unwrap().unwrap().outcome, Outcome::Applied);
}

#[tokio::test(start_paused = true)]
async fn hidden_holder_is_waited_for() {
    let (database, runner) = fake_database(&TWO_MIGRATIONS);
    let (runner, recorder) = EventRecorder::attach(&runner);
    database.hold();
    for _ in 0..9 {
        database.fail(
            "holder",
            Error::new(ErrorKind::Unexpected, "no right to read"),
        );
    }
    let error = runner
        .wait(LockWait::For(Duration::from_secs(5)))
        .up()
        .await
        .unwrap_err();
    assert!(
        error.message().contains("held by an unknown session"),
        "{error}"
    );
    assert!(
        recorder
            .all()
            .contains(&"waiting for 4006 1 s holder unknown".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn temporary_history_error_is_retried() {
    let (database, runner) = fake_database(&TWO_MIGRATIONS);
    database.hold();
    for _ in 0..20 {
        database.fail(
            "history",
            Error::new(ErrorKind::Unexpected, "a writer blocks readers")
                .with_status(Status::Temporary),
        );
    }
    let run = tokio::spawn(async move { runner.up().await });
    tokio::time::sleep(Duration::from_secs(15)).await;
    run_other_tasks().await;
    database.write(&set(&TWO_MIGRATIONS));
    database.free();
    let report = run.await.unwrap().unwrap();
    assert_eq!(
        (report.outcome, report.took_lock),
        (Outcome::UpToDate, false)
    );
}

#[tokio::test(start_paused = true)]
async fn failed_try_closes_session() {
    let (database, runner) = fake_database(&TWO_MIGRATIONS);
    database.hold();
    database.fail(
        "try_lock",
        Error::new(ErrorKind::SessionLost, "the connection broke"),
    );
    assert_eq!(
        runner.up().await.unwrap_err().kind(),
        ErrorKind::SessionLost
    );
    assert_eq!(database.call_names(), "connect history try_lock");
    database.free();
    database.assert_unlocked_and_idle();
}
