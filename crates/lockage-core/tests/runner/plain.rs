//! A run that nobody disturbs.

use lockage_core::{ErrorKind, Outcome, PlanOptions};

use crate::told::Told;
use crate::world::{set, world};

const TWO: [(&str, &str); 2] = [("V1__users", "takes 3 s"), ("V2__orders", "")];

#[tokio::test(start_paused = true)]
async fn nothing_to_do_is_one_read_and_no_lock() {
    let (world, runner) = world(&TWO);
    world.write(&set(&TWO));
    let report = runner.up().await.unwrap();
    assert_eq!(world.calls(), ["1 connect", "1 history", "1 close"]);
    assert_eq!(
        (report.outcome, report.took_lock),
        (Outcome::UpToDate, false)
    );
    assert!(report.applied.is_empty() && report.pending.is_empty());
    world.assert_left_alone();
}

#[tokio::test(start_paused = true)]
async fn what_is_pending_is_applied_under_the_lock() {
    let (world, runner) = world(&TWO);
    let (runner, told) = Told::by(&runner);
    let report = runner.up().await.unwrap();
    assert_eq!(
        world.call_names(),
        "connect history try_lock history ensure_history apply apply unlock close"
    );
    assert_eq!(world.committed(), "V1__users V2__orders");
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
        told.all(),
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
    world.assert_left_alone();

    assert_eq!(runner.up().await.unwrap().outcome, Outcome::UpToDate);
    assert_eq!(world.call_names(), "connect history close");
}

#[tokio::test(start_paused = true)]
async fn undo_goes_the_same_way() {
    let (world, runner) = world(&[("V1__a", ""), ("U1__a", ""), ("V2__a", ""), ("U2__a", "")]);
    runner.up().await.unwrap();
    world.call_names();
    let report = runner.down().await.unwrap();
    assert_eq!(
        world.call_names(),
        "connect history try_lock history ensure_history apply unlock close"
    );
    assert_eq!(world.committed(), "V1__a V2__a U2__a");
    assert_eq!(report.applied.len(), 1);
    let mut all = PlanOptions::default();
    all.to = Some("0".parse().unwrap());
    runner.clone().plan_options(all).down().await.unwrap();
    runner.up().await.unwrap();
    assert_eq!(world.committed(), "V1__a V2__a U2__a U1__a V1__a V2__a");
}

#[tokio::test(start_paused = true)]
async fn a_mistake_in_any_pending_script_is_told_before_the_lock() {
    let (world, runner) = world(&[
        ("V1__a", ""),
        ("V2__b", "x\nnonsense"),
        ("V3__c", "nonsense"),
    ]);
    let error = runner.up().await.unwrap_err();
    assert_eq!(world.call_names(), "connect history");
    assert_eq!(error.kind(), ErrorKind::InvalidMigration);
    assert_eq!(error.message(), "nonsense in line 2 of V2__b.sql");
    assert_eq!(
        error.related()[0].message(),
        "nonsense in line 1 of V3__c.sql"
    );
    assert_eq!(error.report().unwrap().outcome, Outcome::Failed);
    world.assert_left_alone();

    // An applied script is not looked at again.
    world.write(&set(&[("V2__b", "x\nnonsense"), ("V3__c", "nonsense")]));
    let mut anyhow = PlanOptions::default();
    anyhow.out_of_order = true;
    runner.plan_options(anyhow).up().await.unwrap();
    assert_eq!(world.committed(), "V1__a");
}

#[tokio::test(start_paused = true)]
async fn who_only_looks_takes_no_lock_and_writes_nothing() {
    let (world, runner) = world(&TWO);
    assert_eq!(runner.status().await.unwrap().len(), 2);
    assert_eq!(world.call_names(), "connect history close");
    assert_eq!(runner.plan().await.unwrap().steps.len(), 2);
    assert_eq!(world.call_names(), "connect history close");
    let report = runner.check().await.unwrap();
    assert_eq!(
        (report.outcome, report.pending.len()),
        (Outcome::Pending, 2)
    );
    assert_eq!(world.call_names(), "connect history close");
    assert!(runner.lock_holder().await.unwrap().is_none());
    assert_eq!(world.call_names(), "connect holder close");
    world.assert_left_alone();
}
