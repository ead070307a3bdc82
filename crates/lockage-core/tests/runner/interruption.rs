//! Runs that are interrupted.

use std::time::Duration;

use lockage_core::{ErrorKind, Interrupt, Report, Result, RunError, Runner};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::fake_database::{FakeDatabase, fake_database};

/// Starts a run and interrupts it `after` seconds. Returns the time until it ended, and its result.
async fn interrupted(runner: Runner, after: u64) -> (Duration, Result<Report, RunError>) {
    let interrupt = Interrupt::new();
    let runner = runner.interrupt(interrupt.clone());
    let run: JoinHandle<Result<Report, RunError>> = tokio::spawn(async move { runner.up().await });
    tokio::time::sleep(Duration::from_secs(after)).await;
    let interrupted_at = Instant::now();
    interrupt.trigger();
    let done = run.await.unwrap();
    (interrupted_at.elapsed(), done)
}

#[track_caller]
fn assert_stopped(database: &FakeDatabase, error: &RunError, applied: &str) {
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    let report = error.report().unwrap();
    let names: Vec<&str> = report.applied.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names.join(" "), applied);
    database.assert_unlocked_and_idle();
}

#[tokio::test(start_paused = true)]
async fn interrupt_before_run_prevents_connecting() {
    let (database, runner) = fake_database(&[("V1__a", "")]);
    let interrupt = Interrupt::new();
    interrupt.trigger();
    let error = runner.interrupt(interrupt).up().await.unwrap_err();
    assert_stopped(&database, &error, "");
    assert_eq!(database.call_names(), "");
}

#[tokio::test(start_paused = true)]
async fn interrupt_during_wait_returns_immediately() {
    let (database, runner) = fake_database(&[("V1__a", "")]);
    database.hold();
    let (took, done) = interrupted(runner, 5).await;
    assert_eq!(took, Duration::ZERO);
    database.free();
    let error = done.unwrap_err();
    assert_stopped(&database, &error, "");
    assert!(error.report().unwrap().waited >= Duration::from_secs(5));
    let calls = database.call_names();
    assert!(
        !calls.contains("unlock") && !calls.contains("cancel") && !calls.contains("close"),
        "{calls}"
    );
}

#[tokio::test(start_paused = true)]
async fn interrupt_during_connect_or_try_returns_immediately() {
    for name in ["connect", "history", "try_lock"] {
        let (database, runner) = fake_database(&[("V1__a", "")]);
        database.slow(name, Duration::from_secs(30));
        let (took, done) = interrupted(runner, 5).await;
        assert_eq!(took, Duration::ZERO);
        assert_stopped(&database, &done.unwrap_err(), "");
    }
}

#[tokio::test(start_paused = true)]
async fn interrupt_cancels_statement_and_releases_lock() {
    let (database, runner) =
        fake_database(&[("V1__a", ""), ("V2__b", "takes 60 s"), ("V3__c", "")]);
    let (took, done) = interrupted(runner, 5).await;
    assert_eq!(took, Duration::ZERO);
    let error = done.unwrap_err();
    assert_stopped(&database, &error, "a");
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "the statement was cancelled");
    assert_eq!(error.report().unwrap().pending.len(), 2);
    let calls = database.call_names();
    assert!(
        calls.ends_with("apply apply cancel unlock close"),
        "{calls}"
    );
    assert_eq!(database.committed(), "V1__a");
}

#[tokio::test(start_paused = true)]
async fn step_that_finishes_despite_interrupt_is_reported() {
    let (database, runner) = fake_database(&[("V1__a", "takes 10 s"), ("V2__b", "")]);
    // The request arrives after the end of the statement.
    database.slow("cancel", Duration::from_secs(8));
    let (took, done) = interrupted(runner, 5).await;
    assert_eq!(took, Duration::from_secs(5));
    assert_stopped(&database, &done.unwrap_err(), "a");
    assert_eq!(database.committed(), "V1__a");
    assert!(database.call_names().ends_with("apply cancel unlock close"));
}

#[tokio::test(start_paused = true)]
async fn interrupt_cancels_next_statement_after_late_request() {
    let (database, runner) = fake_database(&[("V1__a", "takes 10 s\ntakes 60 s")]);
    database.slow("cancel", Duration::from_millis(5100));
    let (took, done) = interrupted(runner, 5).await;
    assert_eq!(took, Duration::from_millis(5100));
    assert_stopped(&database, &done.unwrap_err(), "");
}

#[tokio::test(start_paused = true)]
async fn uncancellable_statement_drops_session() {
    let (database, runner) = fake_database(&[("V1__a", "hangs")]);
    let (took, done) = interrupted(runner, 5).await;
    assert!(
        took >= Duration::from_secs(10) && took < Duration::from_secs(11),
        "{took:?}"
    );
    let error = done.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SessionLost);
    assert!(!database.call_names().contains("unlock"));
    database.assert_unlocked_and_idle();
}

/// A session with a dropped call cannot release its lock, so the call is cancelled instead.
#[tokio::test(start_paused = true)]
async fn interrupt_cancels_calls_under_lock_instead_of_dropping() {
    let (database, runner) = fake_database(&[("V1__a", "")]);
    database.slow("ensure_history", Duration::from_secs(60));
    let (_, done) = interrupted(runner, 5).await;
    assert_stopped(&database, &done.unwrap_err(), "");
    let calls = database.call_names();
    assert!(
        calls.ends_with("ensure_history cancel unlock close"),
        "{calls}"
    );

    let (database, runner) = fake_database(&[("V1__a", "")]);
    database.slow("history", Duration::from_secs(3));
    let (_, done) = interrupted(runner, 5).await;
    assert_stopped(&database, &done.unwrap_err(), "");
    let calls = database.call_names();
    assert!(
        calls.ends_with("history try_lock history cancel unlock close"),
        "{calls}"
    );
}

#[tokio::test(start_paused = true)]
async fn lock_lost_during_interrupt_is_not_released() {
    let (database, runner) = fake_database(&[("V1__a", "takes 10 s")]);
    database.slow("cancel", Duration::from_secs(8));
    let run = tokio::spawn(interrupted(runner, 5));
    tokio::time::sleep(Duration::from_secs(7)).await;
    database.state().holder = None;
    let (_, done) = run.await.unwrap();
    assert_eq!(done.unwrap_err().kind(), ErrorKind::LockLost);
    assert!(!database.call_names().contains("unlock"));
    assert_eq!(database.committed(), "");
    database.assert_unlocked_and_idle();
}
