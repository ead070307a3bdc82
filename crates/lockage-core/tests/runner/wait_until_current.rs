//! Waiting until another run has migrated the database.

use std::time::Duration;

use lockage_core::{Error, ErrorKind, Outcome, Status};
use tokio::time::Instant;

use crate::fake_database::{fake_database, set};
use crate::recorder::EventRecorder;

const FILES: [(&str, &str); 1] = [("V1__a", "")];

fn database_missing() -> Error {
    Error::new(ErrorKind::Connect, "no such database").with_status(Status::DatabaseMissing)
}

#[tokio::test(start_paused = true)]
async fn missing_database_is_waited_for() {
    let (database, runner) = fake_database(&FILES);
    database.fail("connect", database_missing());
    database.fail("connect", database_missing());
    let waiting = tokio::spawn(async move { runner.wait_until_current(None).await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    database.write(&set(&FILES));
    let report = waiting.await.unwrap().unwrap();
    assert_eq!(report.outcome, Outcome::UpToDate);
    assert!(
        !database
            .calls()
            .iter()
            .any(|call| call.ends_with("try_lock"))
    );
}

#[tokio::test(start_paused = true)]
async fn missing_database_at_timeout_has_all_pending() {
    let (database, runner) = fake_database(&FILES);
    (0..100).for_each(|_| database.fail("connect", database_missing()));
    let timeout = Duration::from_secs(3);
    let report = runner.wait_until_current(Some(timeout)).await.unwrap();
    assert_eq!(report.outcome, Outcome::Pending);
    assert_eq!(report.pending.len(), 1);
}

/// If connecting takes longer than the timeout, the error is still reported at the timeout.
#[tokio::test(start_paused = true)]
async fn wait_ends_at_timeout_if_connection_hangs() {
    let (database, runner) = fake_database(&FILES);
    database.slow("connect", Duration::from_secs(600));
    for (timeout, limit) in [(0, 2), (5, 5)] {
        let started_at = Instant::now();
        let timeout = Some(Duration::from_secs(timeout));
        let error = runner.wait_until_current(timeout).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(error.is_temporary());
        let limit = Duration::from_secs(limit) + Duration::from_millis(50);
        assert!(started_at.elapsed() <= limit, "{:?}", started_at.elapsed());
    }
    // The result of an earlier poll is preferred to the missing answer of the last one.
    database.slow("connect", Duration::ZERO);
    let late = runner.clone();
    let waiting =
        tokio::spawn(async move { late.wait_until_current(Some(Duration::from_secs(5))).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    database.slow("connect", Duration::from_secs(600));
    assert_eq!(waiting.await.unwrap().unwrap().outcome, Outcome::Pending);
}

#[tokio::test(start_paused = true)]
async fn unreachable_server_is_reported_instead_of_another_run() {
    let (database, runner) = fake_database(&FILES);
    let down = || Error::new(ErrorKind::Connect, "refused").with_status(Status::Temporary);
    (0..100).for_each(|_| database.fail("connect", down()));
    let (runner, events) = EventRecorder::attach(&runner);
    let timeout = Some(Duration::from_secs(10));
    let error = runner.wait_until_current(timeout).await.unwrap_err();
    assert_eq!(error.message(), "refused");
    let events = events.all();
    assert!(
        events.iter().any(|event| event == "unreachable: refused"),
        "{events:?}"
    );
    assert!(
        !events.iter().any(|event| event.starts_with("waiting")),
        "{events:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn permanent_error_ends_wait_immediately() {
    let (database, runner) = fake_database(&FILES);
    database.fail("connect", Error::new(ErrorKind::Connect, "wrong password"));
    let error = runner.wait_until_current(None).await.unwrap_err();
    assert_eq!(error.message(), "wrong password");
}
