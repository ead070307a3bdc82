//! Runs that fail.

use std::time::Duration;

use lockage_core::{Error, ErrorKind, Outcome, PlanOptions, Report, Status};
use tokio::time::Instant;

use crate::told::Told;
use crate::world::{set, world};

fn names(report: &Report) -> (String, String) {
    let applied: Vec<&str> = report.applied.iter().map(|a| a.name.as_str()).collect();
    let pending: Vec<&str> = report.pending.iter().map(|p| p.name.as_str()).collect();
    (applied.join(" "), pending.join(" "))
}

#[tokio::test(start_paused = true)]
async fn a_step_that_fails_releases_and_tells_what_was_applied() {
    let files = [("V1__a", ""), ("V2__b", "fails"), ("V3__c", "")];
    let (world, runner) = world(&files);
    let (runner, told) = Told::by(&runner);
    let error = runner.up().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::MigrationFailed, "it failed")
    );
    assert!(!error.is_temporary());
    let report = error.report().unwrap();
    assert_eq!((report.outcome, report.took_lock), (Outcome::Failed, true));
    assert_eq!(names(report), ("a".into(), "b c".into()));
    let calls = world.call_names();
    assert!(
        calls.ends_with("ensure_history apply apply unlock close"),
        "{calls}"
    );
    assert_eq!(world.committed(), "V1__a");
    world.assert_left_alone();
    assert_eq!(told.all()[4..], ["started 1 2 b", "releasing", "released"]);

    // The next run goes on there.
    let mended = world.runner(&[("V1__a", ""), ("V2__b", ""), ("V3__c", "")]);
    assert_eq!(names(&mended.up().await.unwrap()).0, "b c");
    assert_eq!(world.committed(), "V1__a V2__b V3__c");
}

#[tokio::test(start_paused = true)]
async fn a_lock_or_a_session_that_is_lost_is_not_released_but_dropped() {
    for (script, kind) in [
        ("loses the lock", ErrorKind::LockLost),
        ("loses the session", ErrorKind::SessionLost),
    ] {
        let (world, runner) = world(&[("V1__a", ""), ("V2__b", script), ("V3__c", "")]);
        let error = runner.up().await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!(names(error.report().unwrap()), ("a".into(), "b c".into()));
        let calls = world.call_names();
        assert!(calls.ends_with("ensure_history apply apply"), "{calls}");
        assert_eq!(world.committed(), "V1__a");
        world.assert_left_alone();
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_backend_drops_the_session() {
    let (world, runner) = world(&[("V1__a", ""), ("V2__b", "panics")]);
    let run = tokio::spawn(async move { runner.up().await });
    assert!(run.await.unwrap_err().is_panic());
    let calls = world.call_names();
    assert!(calls.ends_with("apply apply"), "{calls}");
    assert_eq!(world.committed(), "V1__a");
    world.assert_left_alone();
}

#[tokio::test(start_paused = true)]
async fn what_fails_under_the_lock_before_the_first_step_releases_too() {
    for name in ["history", "ensure_history"] {
        let (world, runner) = world(&[("V1__a", "")]);
        if name == "history" {
            // The first look passes.
            world.fail(
                name,
                Error::new(ErrorKind::Unexpected, "busy").with_status(Status::Temporary),
            );
        }
        world.fail(name, Error::new(ErrorKind::Unexpected, "no"));
        let error = runner.up().await.unwrap_err();
        assert_eq!(error.message(), "no");
        assert!(
            world
                .call_names()
                .ends_with(&format!("{name} unlock close"))
        );
        assert_eq!(world.committed(), "");
        world.assert_left_alone();
    }
}

#[tokio::test(start_paused = true)]
async fn a_history_that_diverged_meanwhile_releases() {
    let (world, runner) = world(&[("V1__a", ""), ("V2__b", "")]);
    world.slow("try_lock", Duration::from_secs(1));
    let run = tokio::spawn(async move { runner.up().await });
    crate::world::settle().await;
    world.write(&set(&[("V1__a", "another text")]));
    let error = run.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged);
    assert!(error.report().unwrap().took_lock);
    assert!(
        world
            .call_names()
            .ends_with("try_lock history unlock close")
    );
    world.assert_left_alone();
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_found_lost_at_the_end_is_an_error_with_the_report() {
    let (world, runner) = world(&[("V1__a", "")]);
    world.fail("unlock", Error::new(ErrorKind::LockLost, "it was not ours"));
    let error = runner.up().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockLost);
    assert_eq!(names(error.report().unwrap()).0, "a");
    world.assert_left_alone();
}

#[tokio::test(start_paused = true)]
async fn a_release_that_does_not_end_is_given_up() {
    for (script, outcome) in [("", None), ("fails", Some(ErrorKind::MigrationFailed))] {
        let (world, runner) = world(&[("V1__a", script)]);
        world.slow("unlock", Duration::from_secs(3600));
        let begun = Instant::now();
        let done = runner.up().await;
        assert_eq!(done.err().map(|error| error.kind()), outcome);
        assert!(begun.elapsed() < Duration::from_secs(60));
        world.assert_left_alone();
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_error_is_the_one_that_is_told() {
    let (world, runner) = world(&[("V1__a", "fails")]);
    world.fail(
        "unlock",
        Error::new(ErrorKind::SessionLost, "the connection broke"),
    );
    assert_eq!(
        runner.up().await.unwrap_err().kind(),
        ErrorKind::MigrationFailed
    );
    world.assert_left_alone();
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_at_the_very_end_spoils_nothing() {
    let broken = || Error::new(ErrorKind::SessionLost, "the connection broke");
    let (world, runner) = world(&[("V1__a", "")]);
    world.fail("close", broken());
    assert_eq!(runner.up().await.unwrap().outcome, Outcome::Applied);
    world.fail("close", broken());
    assert_eq!(runner.up().await.unwrap().outcome, Outcome::UpToDate);
    world.fail("close", broken());
    assert_eq!(runner.check().await.unwrap().outcome, Outcome::UpToDate);
    world.assert_left_alone();
}

/// The server goes away when the one step is applied.
#[tokio::test(start_paused = true)]
async fn a_run_that_begins_anew_applies_no_more_than_it_was_to() {
    let (world, runner) = world(&[("V1__a", ""), ("V2__b", "")]);
    let mut options = PlanOptions::default();
    options.steps = Some(1);
    let gone = Error::new(ErrorKind::SessionLost, "the server went away")
        .with_status(Status::ConnectionLost);
    world.fail("unlock", gone);
    let report = runner.plan_options(options).up().await.unwrap();
    assert_eq!(names(&report), ("a".into(), "b".into()));
    assert_eq!(world.committed(), "V1__a");
}
