//! Runs that meet at the lock.

use std::time::Duration;

use lockage_core::{Error, ErrorKind, LockKey, LockWait, Outcome, Status};
use tokio::time::Instant;

use crate::told::Told;
use crate::world::{set, settle, world};

const TWO: [(&str, &str); 2] = [("V1__users", "takes 20 s"), ("V2__orders", "")];

#[tokio::test(start_paused = true)]
async fn sixteen_at_once_apply_everything_once() {
    for _ in 0..50 {
        let (world, runner) = world(&TWO);
        let mut runs = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let runner = runner.clone();
            runs.spawn(async move { runner.up().await });
        }
        let reports = runs.join_all().await;
        assert_eq!(world.committed(), "V1__users V2__orders");
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
        let calls = world.calls().join("\n");
        assert_eq!(calls.matches("ensure_history").count(), 1);
        world.assert_left_alone();
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiter_leaves_without_the_lock_when_the_holder_has_finished() {
    let (world, runner) = world(&TWO);
    world.hold();
    let run = tokio::spawn(async move { runner.up().await });
    tokio::time::sleep(Duration::from_secs(20)).await;
    settle().await;
    world.write(&set(&TWO));
    world.free();
    let report = run.await.unwrap().unwrap();
    assert_eq!(
        (report.outcome, report.took_lock),
        (Outcome::UpToDate, false)
    );
    assert!(report.waited >= Duration::from_secs(20) && report.waited < Duration::from_secs(21));
    assert!(report.applied.is_empty() && report.pending.is_empty());
    let calls = world.call_names();
    assert!(calls.ends_with("try_lock history close"), "{calls}");
    assert!(
        !calls.contains("unlock") && !calls.contains("ensure_history"),
        "{calls}"
    );
    world.assert_left_alone();
}

#[tokio::test(start_paused = true)]
async fn a_waiter_leaves_while_the_holder_is_still_at_something_else() {
    let (world, runner) = world(&TWO);
    world.hold();
    let run = tokio::spawn(async move { runner.up().await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.write(&set(&TWO));
    assert!(!run.await.unwrap().unwrap().took_lock);
    world.free();
    world.assert_left_alone();
}

#[tokio::test(start_paused = true)]
async fn a_waiter_goes_on_where_a_holder_gave_up() {
    let (world, runner) = world(&TWO);
    world.hold();
    let run = tokio::spawn(async move { runner.up().await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    settle().await;
    world.write(&set(&TWO[..1]));
    world.free();
    let report = run.await.unwrap().unwrap();
    assert_eq!((report.outcome, report.took_lock), (Outcome::Applied, true));
    assert_eq!(world.committed(), "V2__orders");
    assert_eq!(report.applied.len(), 1);
    world.assert_left_alone();
}

/// The holder finishes between a run's first look and its try.
#[tokio::test(start_paused = true)]
async fn nothing_is_written_under_a_lock_that_came_too_late() {
    let (world, runner) = world(&TWO);
    world.slow("try_lock", Duration::from_secs(1));
    let run = tokio::spawn(async move { runner.up().await });
    settle().await;
    world.write(&set(&TWO));
    let report = run.await.unwrap().unwrap();
    assert_eq!(
        (report.outcome, report.took_lock),
        (Outcome::UpToDate, true)
    );
    assert_eq!(
        world.call_names(),
        "connect history try_lock history unlock close"
    );
    assert!(report.pending.is_empty());
    world.assert_left_alone();
}

#[tokio::test(start_paused = true)]
async fn patience_has_an_end_that_names_the_holder_and_the_setting() {
    let (world, runner) = world(&TWO);
    let (runner, told) = Told::by(&runner);
    world.hold();
    let begun = Instant::now();
    let runner = runner
        .wait(LockWait::For(Duration::from_secs(10)))
        .lock_key(LockKey::named("shop").unwrap());
    let error = runner.up().await.unwrap_err();
    let waited = begun.elapsed();
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
    for knob in ["--wait", "LOCKAGE_WAIT", "Runner::wait"] {
        assert!(error.hint().unwrap().contains(knob));
    }
    let report = error.report().unwrap();
    assert_eq!(
        (report.outcome, report.took_lock, report.pending.len()),
        (Outcome::Failed, false, 2)
    );
    assert!(report.waited >= Duration::from_secs(10));
    let waiting = |s| format!("waiting for shop {s} s behind replica-7");
    assert_eq!(
        told.all(),
        ["connected".to_owned(), waiting(1), waiting(3), waiting(7)]
    );
    world.free();
    world.assert_left_alone();
    assert_eq!(world.committed(), "");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_want_to_wait_does_not() {
    let (world, runner) = world(&TWO);
    world.hold();
    let begun = Instant::now();
    let error = runner.wait(LockWait::Never).up().await.unwrap_err();
    assert_eq!(
        (error.kind(), begun.elapsed()),
        (ErrorKind::LockTimeout, Duration::ZERO)
    );
    assert_eq!(world.call_names().matches("try_lock").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_wants_to_wait_for_ever_does() {
    let (world, runner) = world(&TWO);
    world.hold();
    let run = tokio::spawn(async move { runner.wait(LockWait::Forever).up().await });
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(!run.is_finished());
    world.free();
    assert_eq!(run.await.unwrap().unwrap().outcome, Outcome::Applied);
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_cannot_be_seen_is_waited_for_all_the_same() {
    let (world, runner) = world(&TWO);
    let (runner, told) = Told::by(&runner);
    world.hold();
    for _ in 0..9 {
        world.fail(
            "holder",
            Error::new(ErrorKind::Unexpected, "no right to look"),
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
        told.all()
            .contains(&"waiting for 4006 1 s behind nobody known".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn a_history_that_cannot_be_read_for_now_is_read_later() {
    let (world, runner) = world(&TWO);
    world.hold();
    for _ in 0..20 {
        world.fail(
            "history",
            Error::new(ErrorKind::Unexpected, "a writer is at it").with_status(Status::Temporary),
        );
    }
    let run = tokio::spawn(async move { runner.up().await });
    tokio::time::sleep(Duration::from_secs(15)).await;
    settle().await;
    world.write(&set(&TWO));
    world.free();
    let report = run.await.unwrap().unwrap();
    assert_eq!(
        (report.outcome, report.took_lock),
        (Outcome::UpToDate, false)
    );
}

#[tokio::test(start_paused = true)]
async fn a_try_that_fails_ends_the_session() {
    let (world, runner) = world(&TWO);
    world.hold();
    world.fail(
        "try_lock",
        Error::new(ErrorKind::SessionLost, "the connection broke"),
    );
    assert_eq!(
        runner.up().await.unwrap_err().kind(),
        ErrorKind::SessionLost
    );
    assert_eq!(world.call_names(), "connect history try_lock");
    world.free();
    world.assert_left_alone();
}
