//! Futures that are dropped at each of their await points.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use lockage_core::{Interrupt, Outcome, Report, Result, RunError, Runner};

use crate::fake_database::{FakeDatabase, fake_database};

const FILES: [(&str, &str); 5] = [
    ("V1__a", ""),
    ("V2__b", "takes 1 s\nx"),
    ("U1__a", ""),
    ("U2__b", "takes 1 s"),
    ("R__views", ""),
];

/// Polls a future `times` times with an interval in between, and drops it if it is not ready then.
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

/// Drops a run at its first, second, … await point until a run completes, and checks the database with `check` each time.
async fn at_every_await_point(
    prepare: impl Fn(&Arc<FakeDatabase>, Runner) -> Runner,
    run: impl AsyncFn(&Runner) -> Result<Report, RunError>,
    check: impl AsyncFn(&Arc<FakeDatabase>, &Runner),
) {
    for times in 1..500 {
        let (database, runner) = fake_database(&FILES);
        let prepared = prepare(&database, runner.clone());
        let done = poll_times(run(&prepared), times).await;
        if database.state().holder == Some(0) {
            database.free();
        }
        database.assert_unlocked_and_idle();
        check(&database, &runner).await;
        if done.is_some() {
            assert!(times > 10, "the run has more than {times} await points");
            return;
        }
    }
    panic!("the run does not finish");
}

/// The next run applies the rest. The fake database panics if a migration is applied twice.
async fn assert_next_run_completes(database: &Arc<FakeDatabase>, runner: &Runner) {
    let committed = database.committed();
    assert!(
        "V1__a V2__b R__views".starts_with(&committed),
        "{committed}"
    );
    runner.up().await.unwrap();
    assert_eq!(database.committed(), "V1__a V2__b R__views");
    assert_eq!(runner.up().await.unwrap().outcome, Outcome::UpToDate);
    database.assert_unlocked_and_idle();
}

#[tokio::test(start_paused = true)]
async fn dropped_run_leaves_no_lock() {
    at_every_await_point(
        |_, runner| runner,
        async |runner| runner.up().await,
        assert_next_run_completes,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn dropped_waiter_leaves_no_lock() {
    let held_for_a_while = |database: &Arc<FakeDatabase>, runner| {
        database.hold();
        let database = Arc::clone(database);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let mut state = database.state();
            state.holder = state.holder.filter(|holder| *holder != 0);
        });
        runner
    };
    at_every_await_point(
        held_for_a_while,
        async |runner| runner.up().await,
        assert_next_run_completes,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn dropped_interrupted_run_leaves_no_lock() {
    let soon_interrupted = |database: &Arc<FakeDatabase>, runner: Runner| {
        database.slow("ensure_history", Duration::from_secs(3));
        let interrupt = Interrupt::new();
        let asked = interrupt.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(4)).await;
            asked.trigger();
        });
        runner.interrupt(interrupt)
    };
    at_every_await_point(
        soon_interrupted,
        async |runner| runner.up().await,
        assert_next_run_completes,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn dropped_down_leaves_no_lock() {
    let applied = |database: &Arc<FakeDatabase>, mut runner: Runner| {
        database.write(&crate::fake_database::set(&[
            ("V1__a", ""),
            ("V2__b", "takes 1 s\nx"),
            ("R__views", ""),
        ]));
        let mut all = lockage_core::PlanOptions::default();
        all.to = Some("0".parse().unwrap());
        runner = runner.plan_options(all);
        runner
    };
    let check = async |database: &Arc<FakeDatabase>, runner: &Runner| {
        let undone = database.committed();
        assert!("U2__b U1__a".starts_with(&undone), "{undone}");
        runner.up().await.unwrap();
        let again = ["", "V2__b", "V1__a V2__b"][undone.split_whitespace().count()];
        assert_eq!(database.committed(), format!("{undone} {again}").trim());
    };
    at_every_await_point(applied, async |runner| runner.down().await, check).await;
}

#[tokio::test(start_paused = true)]
async fn dropped_read_leaves_no_session() {
    for times in 1..5 {
        let (database, runner) = fake_database(&FILES);
        poll_times(runner.check(), times).await;
        poll_times(runner.lock_holder(), times).await;
        poll_times(runner.wait_until_current(None), times).await;
        database.assert_unlocked_and_idle();
    }
}
