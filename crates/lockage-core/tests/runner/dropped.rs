//! Futures that are dropped, at every point where they wait.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use lockage_core::{Interrupt, Outcome, Report, Result, RunError, Runner};

use crate::world::{World, world};

const FILES: [(&str, &str); 5] = [
    ("V1__a", ""),
    ("V2__b", "takes 1 s\nx"),
    ("U1__a", ""),
    ("U2__b", "takes 1 s"),
    ("R__views", ""),
];

/// Polls so many times, a while between each two, and drops what is not ready by then.
async fn poll_times<F: Future>(future: F, times: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..times {
        let seen = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        if let Poll::Ready(done) = seen {
            return Some(done);
        }
        tokio::time::advance(Duration::from_millis(400)).await;
    }
    None
}

/// Drops a run at its first, second, … point of waiting until one comes through, and holds the world against `check` each time.
async fn at_every_point(
    prepare: impl Fn(&Arc<World>, Runner) -> Runner,
    run: impl AsyncFn(&Runner) -> Result<Report, RunError>,
    check: impl AsyncFn(&Arc<World>, &Runner),
) {
    for times in 1..500 {
        let (world, runner) = world(&FILES);
        let prepared = prepare(&world, runner.clone());
        let done = poll_times(run(&prepared), times).await;
        if world.facts().holder == Some(0) {
            world.free();
        }
        world.assert_left_alone();
        check(&world, &runner).await;
        if done.is_some() {
            assert!(times > 10, "there is more to drop than {times} points");
            return;
        }
    }
    panic!("the run does not end");
}

/// The next run does the rest, and nothing twice: the world refuses what is applied already.
async fn the_next_run_completes(world: &Arc<World>, runner: &Runner) {
    let committed = world.committed();
    assert!(
        "V1__a V2__b R__views".starts_with(&committed),
        "{committed}"
    );
    runner.up().await.unwrap();
    assert_eq!(world.committed(), "V1__a V2__b R__views");
    assert_eq!(runner.up().await.unwrap().outcome, Outcome::UpToDate);
    world.assert_left_alone();
}

#[tokio::test(start_paused = true)]
async fn a_run_leaves_nothing_behind() {
    at_every_point(
        |_, runner| runner,
        async |runner| runner.up().await,
        the_next_run_completes,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_waiter_leaves_nothing_behind() {
    let held_for_a_while = |world: &Arc<World>, runner| {
        world.hold();
        let world = Arc::clone(world);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let mut facts = world.facts();
            facts.holder = facts.holder.filter(|holder| *holder != 0);
        });
        runner
    };
    at_every_point(
        held_for_a_while,
        async |runner| runner.up().await,
        the_next_run_completes,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_being_interrupted_leaves_nothing_behind() {
    let soon_interrupted = |world: &Arc<World>, runner: Runner| {
        world.slow("ensure_history", Duration::from_secs(3));
        let interrupt = Interrupt::new();
        let asked = interrupt.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(4)).await;
            asked.trigger();
        });
        runner.interrupt(interrupt)
    };
    at_every_point(
        soon_interrupted,
        async |runner| runner.up().await,
        the_next_run_completes,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn going_down_leaves_nothing_behind() {
    let applied = |world: &Arc<World>, mut runner: Runner| {
        world.write(&crate::world::set(&[
            ("V1__a", ""),
            ("V2__b", "takes 1 s\nx"),
            ("R__views", ""),
        ]));
        let mut all = lockage_core::PlanOptions::default();
        all.to = Some("0".parse().unwrap());
        runner = runner.plan_options(all);
        runner
    };
    let check = async |world: &Arc<World>, runner: &Runner| {
        let undone = world.committed();
        assert!("U2__b U1__a".starts_with(&undone), "{undone}");
        runner.up().await.unwrap();
        let again = ["", "V2__b", "V1__a V2__b"][undone.split_whitespace().count()];
        assert_eq!(world.committed(), format!("{undone} {again}").trim());
    };
    at_every_point(applied, async |runner| runner.down().await, check).await;
}

#[tokio::test(start_paused = true)]
async fn a_look_leaves_nothing_behind() {
    for times in 1..5 {
        let (world, runner) = world(&FILES);
        poll_times(runner.check(), times).await;
        poll_times(runner.lock_holder(), times).await;
        poll_times(runner.wait_until_current(None), times).await;
        world.assert_left_alone();
    }
}
