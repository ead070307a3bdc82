//! Runs that are asked to stop.

use std::time::Duration;

use lockage_core::{ErrorKind, Interrupt, Report, Result, RunError, Runner};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::world::{World, world};

/// Starts a run and asks it to stop after so many seconds. The time that it then took, and what it said.
async fn interrupted(runner: Runner, after: u64) -> (Duration, Result<Report, RunError>) {
    let interrupt = Interrupt::new();
    let runner = runner.interrupt(interrupt.clone());
    let run: JoinHandle<Result<Report, RunError>> = tokio::spawn(async move { runner.up().await });
    tokio::time::sleep(Duration::from_secs(after)).await;
    let asked = Instant::now();
    interrupt.trigger();
    let done = run.await.unwrap();
    (asked.elapsed(), done)
}

#[track_caller]
fn assert_stopped(world: &World, error: &RunError, applied: &str) {
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    let report = error.report().unwrap();
    let names: Vec<&str> = report.applied.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names.join(" "), applied);
    world.assert_left_alone();
}

#[tokio::test(start_paused = true)]
async fn before_it_begins_it_does_not_connect() {
    let (world, runner) = world(&[("V1__a", "")]);
    let interrupt = Interrupt::new();
    interrupt.trigger();
    let error = runner.interrupt(interrupt).up().await.unwrap_err();
    assert_stopped(&world, &error, "");
    assert_eq!(world.call_names(), "");
}

#[tokio::test(start_paused = true)]
async fn while_it_waits_it_returns_at_once() {
    let (world, runner) = world(&[("V1__a", "")]);
    world.hold();
    let (took, done) = interrupted(runner, 5).await;
    assert_eq!(took, Duration::ZERO);
    world.free();
    let error = done.unwrap_err();
    assert_stopped(&world, &error, "");
    assert!(error.report().unwrap().waited >= Duration::from_secs(5));
    let calls = world.call_names();
    assert!(
        !calls.contains("unlock") && !calls.contains("cancel") && !calls.contains("close"),
        "{calls}"
    );
}

#[tokio::test(start_paused = true)]
async fn while_it_connects_or_tries_it_returns_at_once() {
    for name in ["connect", "history", "try_lock"] {
        let (world, runner) = world(&[("V1__a", "")]);
        world.slow(name, Duration::from_secs(30));
        let (took, done) = interrupted(runner, 5).await;
        assert_eq!(took, Duration::ZERO);
        assert_stopped(&world, &done.unwrap_err(), "");
    }
}

#[tokio::test(start_paused = true)]
async fn the_statement_in_hand_is_cancelled_and_the_lock_released() {
    let (world, runner) = world(&[("V1__a", ""), ("V2__b", "takes 60 s"), ("V3__c", "")]);
    let (took, done) = interrupted(runner, 5).await;
    assert_eq!(took, Duration::ZERO);
    let error = done.unwrap_err();
    assert_stopped(&world, &error, "a");
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "the statement was cancelled");
    assert_eq!(error.report().unwrap().pending.len(), 2);
    let calls = world.call_names();
    assert!(
        calls.ends_with("apply apply cancel unlock close"),
        "{calls}"
    );
    assert_eq!(world.committed(), "V1__a");
}

#[tokio::test(start_paused = true)]
async fn a_step_that_ends_all_the_same_counts_and_is_the_last() {
    let (world, runner) = world(&[("V1__a", "takes 10 s"), ("V2__b", "")]);
    // The request comes too late to cancel anything.
    world.slow("cancel", Duration::from_secs(8));
    let (took, done) = interrupted(runner, 5).await;
    assert_eq!(took, Duration::from_secs(5));
    assert_stopped(&world, &done.unwrap_err(), "a");
    assert_eq!(world.committed(), "V1__a");
    assert!(world.call_names().ends_with("apply cancel unlock close"));
}

#[tokio::test(start_paused = true)]
async fn the_next_statement_is_cancelled_where_the_first_had_just_ended() {
    let (world, runner) = world(&[("V1__a", "takes 10 s\ntakes 60 s")]);
    world.slow("cancel", Duration::from_millis(5100));
    let (took, done) = interrupted(runner, 5).await;
    assert_eq!(took, Duration::from_millis(5100));
    assert_stopped(&world, &done.unwrap_err(), "");
}

#[tokio::test(start_paused = true)]
async fn a_statement_that_cannot_be_cancelled_costs_the_session() {
    let (world, runner) = world(&[("V1__a", "hangs")]);
    let (took, done) = interrupted(runner, 5).await;
    assert!(
        took >= Duration::from_secs(10) && took < Duration::from_secs(11),
        "{took:?}"
    );
    let error = done.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SessionLost);
    assert!(!world.call_names().contains("unlock"));
    world.assert_left_alone();
}

/// A session whose call was dropped half way is in no state to release a lock: the call is cancelled instead.
#[tokio::test(start_paused = true)]
async fn no_call_under_the_lock_is_dropped_half_way() {
    let (slow_world, runner) = world(&[("V1__a", "")]);
    slow_world.slow("ensure_history", Duration::from_secs(60));
    let (_, done) = interrupted(runner, 5).await;
    assert_stopped(&slow_world, &done.unwrap_err(), "");
    let calls = slow_world.call_names();
    assert!(
        calls.ends_with("ensure_history cancel unlock close"),
        "{calls}"
    );

    let (slow_world, runner) = world(&[("V1__a", "")]);
    slow_world.slow("history", Duration::from_secs(3));
    let (_, done) = interrupted(runner, 5).await;
    assert_stopped(&slow_world, &done.unwrap_err(), "");
    let calls = slow_world.call_names();
    assert!(
        calls.ends_with("history try_lock history cancel unlock close"),
        "{calls}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_was_lost_meanwhile_is_not_released() {
    let (world, runner) = world(&[("V1__a", "takes 10 s")]);
    world.slow("cancel", Duration::from_secs(8));
    let run = tokio::spawn(interrupted(runner, 5));
    tokio::time::sleep(Duration::from_secs(7)).await;
    world.facts().holder = None;
    let (_, done) = run.await.unwrap();
    assert_eq!(done.unwrap_err().kind(), ErrorKind::LockLost);
    assert!(!world.call_names().contains("unlock"));
    assert_eq!(world.committed(), "");
    world.assert_left_alone();
}
