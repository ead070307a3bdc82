//! Runs that mend a history.

use lockage_core::{ErrorKind, Outcome, PlanOptions, Runner};

use crate::world::{set, settle, world};

fn at(runner: &Runner, version: &str) -> Runner {
    let mut options = PlanOptions::default();
    options.to = Some(version.parse().unwrap());
    runner.clone().plan_options(options)
}

#[tokio::test(start_paused = true)]
async fn a_repair_takes_the_lock_and_leaves_a_history_that_fits() {
    let files = [("V1__a", "new text"), ("V3__c", "")];
    let (world, runner) = world(&files);
    world.write(&set(&[("V1__a", "old text"), ("V2__b", ""), ("V3__c", "")]));
    assert_eq!(runner.up().await.unwrap_err().kind(), ErrorKind::Diverged);
    let confirmed = runner.repairs().await.unwrap();
    world.call_names();
    runner.repair(&confirmed).await.unwrap();
    assert_eq!(
        world.call_names(),
        "connect history try_lock history ensure_history apply apply unlock close"
    );
    assert_eq!(runner.up().await.unwrap().outcome, Outcome::UpToDate);
    assert_eq!(world.committed(), "");
    world.call_names();
    runner.repair(&confirmed).await.unwrap();
    assert_eq!(world.call_names(), "connect history close");
    world.assert_left_alone();
}

#[tokio::test(start_paused = true)]
async fn a_repair_that_nobody_confirmed_is_refused_under_the_lock() {
    let (world, runner) = world(&[("V1__a", "new text"), ("V3__c", "")]);
    world.write(&set(&[("V1__a", "old text"), ("V3__c", "")]));
    let confirmed = runner.repairs().await.unwrap();
    // Somebody else writes while the repair waits for the lock.
    world.hold();
    world.call_names();
    let repair = tokio::spawn(async move { runner.repair(&confirmed).await });
    settle().await;
    world.write(&set(&[("V2__b", "")]));
    let error = repair.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged);
    assert!(
        error
            .message()
            .ends_with("nothing was repaired: 2 b is missing"),
        "{error}"
    );
    assert!(!world.call_names().contains("apply"));
    world.free();
    world.assert_left_alone();
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_marked_starts_behind_the_mark() {
    for baseline in [&[][..], &[("B2__start", "")]] {
        let files = [&[("V1__a", ""), ("V2__b", ""), ("V3__c", "")], baseline].concat();
        let (world, runner) = world(&files);
        at(&runner, "2").baseline().await.unwrap();
        runner.up().await.unwrap();
        assert_eq!(world.committed(), "V3__c");
        at(&runner, "2").baseline().await.unwrap_err();
        assert_eq!(runner.up().await.unwrap().outcome, Outcome::UpToDate);
        world.assert_left_alone();
    }
}
