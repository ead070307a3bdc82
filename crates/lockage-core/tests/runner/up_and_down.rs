//! Runs without contention or failure.

use lockage_core::{ErrorKind, Outcome, PlanOptions};

use crate::fake_database::{fake_database, set};
use crate::recorder::EventRecorder;

const TWO_MIGRATIONS: [(&str, &str); 2] = [("V1__users", "takes 3 s"), ("V2__orders", "")];

#[tokio::test(start_paused = true)]
async fn current_database_needs_one_read_and_no_lock() {
    let (database, runner) = fake_database(&TWO_MIGRATIONS);
    database.write(&set(&TWO_MIGRATIONS));
    let report = runner.up().await.unwrap();
    assert_eq!(database.calls(), ["1 connect", "1 history", "1 close"]);
    assert_eq!(
        (report.outcome, report.took_lock),
        (Outcome::UpToDate, false)
    );
    assert!(report.applied.is_empty() && report.pending.is_empty());
    database.assert_unlocked_and_idle();
}

#[tokio::test(start_paused = true)]
async fn pending_migrations_are_applied_under_lock() {
    let (database, runner) = fake_database(&TWO_MIGRATIONS);
    let (runner, recorder) = EventRecorder::attach(&runner);
    let report = runner.up().await.unwrap();
    assert_eq!(
        database.call_names(),
        "connect history try_lock history ensure_history apply apply unlock close"
    );
    assert_eq!(database.committed(), "V1__users V2__orders");
    assert_eq!((report.outcome, report.took_lock), (Outcome::Applied, true));
    let applied: Vec<_> = report
        .applied
        .iter()
        .map(|a| (a.version.as_deref(), a.name.as_str()))
        .collect();
    assert_eq!(applied, [(Some("1"), "users"), (Some("2"), "orders")]);
    assert!(report.pending.is_empty());
    assert_eq!(report.lock, "4006");
    assert_eq!(
        recorder.all(),
        [
            "connected",
            "locked 4006 for 2",
            "started 0 1 users",
            "statement 1 of 1",
            "finished 1 users",
            "started 1 2 orders",
            "finished 2 orders",
            "releasing",
            "released",
        ]
    );
    database.assert_unlocked_and_idle();

    assert_eq!(runner.up().await.unwrap().outcome, Outcome::UpToDate);
    assert_eq!(database.call_names(), "connect history close");
}

#[tokio::test(start_paused = true)]
async fn undo_runs_under_lock() {
    let (database, runner) =
        fake_database(&[("V1__a", ""), ("U1__a", ""), ("V2__a", ""), ("U2__a", "")]);
    runner.up().await.unwrap();
    database.call_names();
    let report = runner.down().await.unwrap();
    assert_eq!(
        database.call_names(),
        "connect history try_lock history ensure_history apply unlock close"
    );
    assert_eq!(database.committed(), "V1__a V2__a U2__a");
    assert_eq!(report.applied.len(), 1);
    let mut all = PlanOptions::default();
    all.to = Some("0".parse().unwrap());
    runner.clone().plan_options(all).down().await.unwrap();
    runner.up().await.unwrap();
    assert_eq!(database.committed(), "V1__a V2__a U2__a U1__a V1__a V2__a");
}

#[tokio::test(start_paused = true)]
async fn invalid_pending_script_is_reported_before_lock() {
    let (database, runner) = fake_database(&[
        ("V1__a", ""),
        ("V2__b", "x\nnonsense"),
        ("V3__c", "nonsense"),
    ]);
    let error = runner.up().await.unwrap_err();
    assert_eq!(database.call_names(), "connect history");
    assert_eq!(error.kind(), ErrorKind::InvalidMigration);
    assert_eq!(error.message(), "nonsense in line 2 of V2__b.sql");
    assert_eq!(
        error.related()[0].message(),
        "nonsense in line 1 of V3__c.sql"
    );
    assert_eq!(error.report().unwrap().outcome, Outcome::Failed);
    database.assert_unlocked_and_idle();

    // An applied script is not checked again.
    database.write(&set(&[("V2__b", "x\nnonsense"), ("V3__c", "nonsense")]));
    let mut out_of_order = PlanOptions::default();
    out_of_order.out_of_order = true;
    runner.plan_options(out_of_order).up().await.unwrap();
    assert_eq!(database.committed(), "V1__a");
}

#[tokio::test(start_paused = true)]
async fn read_commands_take_no_lock_and_write_nothing() {
    let (database, runner) = fake_database(&TWO_MIGRATIONS);
    assert_eq!(runner.status().await.unwrap().len(), 2);
    assert_eq!(database.call_names(), "connect history close");
    assert_eq!(runner.plan().await.unwrap().steps.len(), 2);
    assert_eq!(database.call_names(), "connect history close");
    let report = runner.check().await.unwrap();
    assert_eq!(
        (report.outcome, report.pending.len()),
        (Outcome::Pending, 2)
    );
    assert_eq!(database.call_names(), "connect history close");
    assert!(runner.lock_holder().await.unwrap().is_none());
    assert_eq!(database.call_names(), "connect holder close");
    database.assert_unlocked_and_idle();
}
