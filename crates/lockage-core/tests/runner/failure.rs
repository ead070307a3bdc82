//! Runs that fail.

use std::time::Duration;

use lockage_core::{Error, ErrorKind, Outcome, PlanOptions, Report, Status};
use tokio::time::Instant;

use crate::fake_database::{fake_database, set};
use crate::recorder::EventRecorder;

fn names(report: &Report) -> (String, String) {
    let applied: Vec<&str> = report.applied.iter().map(|a| a.name.as_str()).collect();
    let pending: Vec<&str> = report.pending.iter().map(|p| p.name.as_str()).collect();
    (applied.join(" "), pending.join(" "))
}

#[tokio::test(start_paused = true)]
async fn failed_step_releases_lock_and_reports_applied() {
    let files = [("V1__a", ""), ("V2__b", "fails"), ("V3__c", "")];
    let (database, runner) = fake_database(&files);
    let (runner, recorder) = EventRecorder::attach(&runner);
    let error = runner.up().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::MigrationFailed, "it failed")
    );
    assert!(!error.is_temporary());
    let report = error.report().unwrap();
    assert_eq!((report.outcome, report.took_lock), (Outcome::Failed, true));
    assert_eq!(names(report), ("a".into(), "b c".into()));
    let calls = database.call_names();
    assert!(
        calls.ends_with("ensure_history apply apply unlock close"),
        "{calls}"
    );
    assert_eq!(database.committed(), "V1__a");
    database.assert_unlocked_and_idle();
    assert_eq!(
        recorder.all()[4..],
        ["started 1 2 b", "releasing", "released"]
    );

    // The next run continues with the failed migration.
    let repaired = database.runner(&[("V1__a", ""), ("V2__b", ""), ("V3__c", "")]);
    assert_eq!(names(&repaired.up().await.unwrap()).0, "b c");
    assert_eq!(database.committed(), "V1__a V2__b V3__c");
}

#[tokio::test(start_paused = true)]
async fn lost_lock_or_session_is_dropped_without_release() {
    for (script, kind) in [
        ("loses the lock", ErrorKind::LockLost),
        ("loses the session", ErrorKind::SessionLost),
    ] {
        let (database, runner) = fake_database(&[("V1__a", ""), ("V2__b", script), ("V3__c", "")]);
        let error = runner.up().await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!(names(error.report().unwrap()), ("a".into(), "b c".into()));
        let calls = database.call_names();
        assert!(calls.ends_with("ensure_history apply apply"), "{calls}");
        assert_eq!(database.committed(), "V1__a");
        database.assert_unlocked_and_idle();
    }
}

#[tokio::test(start_paused = true)]
async fn backend_panic_drops_session() {
    let (database, runner) = fake_database(&[("V1__a", ""), ("V2__b", "panics")]);
    let run = tokio::spawn(async move { runner.up().await });
    assert!(run.await.unwrap_err().is_panic());
    let calls = database.call_names();
    assert!(calls.ends_with("apply apply"), "{calls}");
    assert_eq!(database.committed(), "V1__a");
    database.assert_unlocked_and_idle();
}

#[tokio::test(start_paused = true)]
async fn failure_before_first_step_releases_lock() {
    for name in ["history", "ensure_history"] {
        let (database, runner) = fake_database(&[("V1__a", "")]);
        if name == "history" {
            // The read without the lock fails with a temporary error, and the run continues.
            database.fail(
                name,
                Error::new(ErrorKind::Unexpected, "busy").with_status(Status::Temporary),
            );
        }
        database.fail(name, Error::new(ErrorKind::Unexpected, "no"));
        let error = runner.up().await.unwrap_err();
        assert_eq!(error.message(), "no");
        assert!(
            database
                .call_names()
                .ends_with(&format!("{name} unlock close"))
        );
        assert_eq!(database.committed(), "");
        database.assert_unlocked_and_idle();
    }
}

#[tokio::test(start_paused = true)]
async fn history_diverged_during_wait_releases_lock() {
    let (database, runner) = fake_database(&[("V1__a", ""), ("V2__b", "")]);
    database.slow("try_lock", Duration::from_secs(1));
    let run = tokio::spawn(async move { runner.up().await });
    crate::fake_database::run_other_tasks().await;
    database.write(&set(&[("V1__a", "another text")]));
    let error = run.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged);
    assert!(error.report().unwrap().took_lock);
    assert!(
        database
            .call_names()
            .ends_with("try_lock history unlock close")
    );
    database.assert_unlocked_and_idle();
}

#[tokio::test(start_paused = true)]
async fn lock_lost_at_release_is_an_error_with_report() {
    let (database, runner) = fake_database(&[("V1__a", "")]);
    database.fail(
        "unlock",
        Error::new(ErrorKind::LockLost, "the lock was not held"),
    );
    let error = runner.up().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockLost);
    assert_eq!(names(error.report().unwrap()).0, "a");
    database.assert_unlocked_and_idle();
}

#[tokio::test(start_paused = true)]
async fn hanging_release_times_out() {
    for (script, outcome) in [("", None), ("fails", Some(ErrorKind::MigrationFailed))] {
        let (database, runner) = fake_database(&[("V1__a", script)]);
        database.slow("unlock", Duration::from_secs(3600));
        let started_at = Instant::now();
        let done = runner.up().await;
        assert_eq!(done.err().map(|error| error.kind()), outcome);
        assert!(started_at.elapsed() < Duration::from_secs(60));
        database.assert_unlocked_and_idle();
    }
}

#[tokio::test(start_paused = true)]
async fn migration_error_precedes_release_error() {
    let (database, runner) = fake_database(&[("V1__a", "fails")]);
    database.fail(
        "unlock",
        Error::new(ErrorKind::SessionLost, "the connection broke"),
    );
    assert_eq!(
        runner.up().await.unwrap_err().kind(),
        ErrorKind::MigrationFailed
    );
    database.assert_unlocked_and_idle();
}

#[tokio::test(start_paused = true)]
async fn connection_loss_after_release_is_ignored() {
    let broken = || Error::new(ErrorKind::SessionLost, "the connection broke");
    let (database, runner) = fake_database(&[("V1__a", "")]);
    database.fail("close", broken());
    assert_eq!(runner.up().await.unwrap().outcome, Outcome::Applied);
    database.fail("close", broken());
    assert_eq!(runner.up().await.unwrap().outcome, Outcome::UpToDate);
    database.fail("close", broken());
    assert_eq!(runner.check().await.unwrap().outcome, Outcome::UpToDate);
    database.assert_unlocked_and_idle();
}

/// The server disconnects after the only step is applied.
#[tokio::test(start_paused = true)]
async fn reconnect_keeps_step_limit() {
    let (database, runner) = fake_database(&[("V1__a", ""), ("V2__b", "")]);
    let mut options = PlanOptions::default();
    options.steps = Some(1);
    let disconnected = Error::new(ErrorKind::SessionLost, "the server disconnected")
        .with_status(Status::ConnectionLost);
    database.fail("unlock", disconnected);
    let report = runner.plan_options(options).up().await.unwrap();
    assert_eq!(names(&report), ("a".into(), "b".into()));
    assert_eq!(database.committed(), "V1__a");
}
