//! Runs that wait until a database is current, and must not migrate it.

use std::time::Duration;

use lockage_core::{Error, ErrorKind, Outcome, Status};
use tokio::time::Instant;

use crate::world::{set, world};

const FILES: [(&str, &str); 1] = [("V1__a", "")];

fn no_database() -> Error {
    Error::new(ErrorKind::Connect, "no such database").with_status(Status::DatabaseMissing)
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_still_to_be_made_is_waited_for() {
    let (world, runner) = world(&FILES);
    world.fail("connect", no_database());
    world.fail("connect", no_database());
    let waiting = tokio::spawn(async move { runner.wait_until_current(None).await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.write(&set(&FILES));
    let report = waiting.await.unwrap().unwrap();
    assert_eq!(report.outcome, Outcome::UpToDate);
    assert!(!world.calls().iter().any(|call| call.ends_with("try_lock")));
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_not_made_in_time_has_everything_pending() {
    let (world, runner) = world(&FILES);
    (0..100).for_each(|_| world.fail("connect", no_database()));
    let timeout = Duration::from_secs(3);
    let report = runner.wait_until_current(Some(timeout)).await.unwrap();
    assert_eq!(report.outcome, Outcome::Pending);
    assert_eq!(report.pending.len(), 1);
}

/// Connecting takes longer than the wait: it does not take longer than the wait to say so.
#[tokio::test(start_paused = true)]
async fn a_wait_ends_at_its_time_whatever_hangs() {
    let (world, runner) = world(&FILES);
    world.slow("connect", Duration::from_secs(600));
    for (timeout, most) in [(0, 2), (5, 5)] {
        let begun = Instant::now();
        let timeout = Some(Duration::from_secs(timeout));
        let error = runner.wait_until_current(timeout).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(error.is_temporary());
        let most = Duration::from_secs(most) + Duration::from_millis(50);
        assert!(begun.elapsed() <= most, "{:?}", begun.elapsed());
    }
    // What was seen before counts more than that nothing was seen at last.
    world.slow("connect", Duration::ZERO);
    let late = runner.clone();
    let waiting =
        tokio::spawn(async move { late.wait_until_current(Some(Duration::from_secs(5))).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.slow("connect", Duration::from_secs(600));
    assert_eq!(waiting.await.unwrap().unwrap().outcome, Outcome::Pending);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_pass_by_itself_is_told_at_once() {
    let (world, runner) = world(&FILES);
    world.fail("connect", Error::new(ErrorKind::Connect, "wrong password"));
    let error = runner.wait_until_current(None).await.unwrap_err();
    assert_eq!(error.message(), "wrong password");
}
