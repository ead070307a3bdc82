//! Runs that repair a history or mark a baseline.

use lockage_core::{ErrorKind, Outcome, PlanOptions, Runner};

use crate::fake_database::{fake_database, run_other_tasks, set};

fn at(runner: &Runner, version: &str) -> Runner {
    let mut options = PlanOptions::default();
    options.to = Some(version.parse().unwrap());
    runner.clone().plan_options(options)
}

#[tokio::test(start_paused = true)]
async fn repair_acquires_lock_and_fixes_history() {
    let files = [("V1__a", "new text"), ("V3__c", "")];
    let (database, runner) = fake_database(&files);
    database.write(&set(&[("V1__a", "old text"), ("V2__b", ""), ("V3__c", "")]));
    assert_eq!(runner.up().await.unwrap_err().kind(), ErrorKind::Diverged);
    let confirmed = runner.repairs().await.unwrap();
    database.call_names();
    runner.repair(&confirmed).await.unwrap();
    assert_eq!(
        database.call_names(),
        "connect history try_lock history ensure_history apply apply unlock close"
    );
    assert_eq!(runner.up().await.unwrap().outcome, Outcome::UpToDate);
    assert_eq!(database.committed(), "");
    database.call_names();
    runner.repair(&confirmed).await.unwrap();
    assert_eq!(database.call_names(), "connect history close");
    database.assert_unlocked_and_idle();
}

#[tokio::test(start_paused = true)]
async fn repair_fails_if_history_changed_during_wait() {
    let (database, runner) = fake_database(&[("V1__a", "new text"), ("V3__c", "")]);
    database.write(&set(&[("V1__a", "old text"), ("V3__c", "")]));
    let confirmed = runner.repairs().await.unwrap();
    // Another session writes while the repair waits for the lock.
    database.hold();
    database.call_names();
    let repair = tokio::spawn(async move { runner.repair(&confirmed).await });
    run_other_tasks().await;
    database.write(&set(&[("V2__b", "")]));
    let error = repair.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged);
    assert!(
        error
            .message()
            .ends_with("nothing was repaired: 2 b is missing"),
        "{error}"
    );
    assert!(!database.call_names().contains("apply"));
    database.free();
    database.assert_unlocked_and_idle();
}

#[tokio::test(start_paused = true)]
async fn baseline_starts_after_marked_version() {
    for baseline in [&[][..], &[("B2__start", "")]] {
        let files = [&[("V1__a", ""), ("V2__b", ""), ("V3__c", "")], baseline].concat();
        let (database, runner) = fake_database(&files);
        at(&runner, "2").baseline().await.unwrap();
        runner.up().await.unwrap();
        assert_eq!(database.committed(), "V3__c");
        at(&runner, "2").baseline().await.unwrap_err();
        assert_eq!(runner.up().await.unwrap().outcome, Outcome::UpToDate);
        database.assert_unlocked_and_idle();
    }
}
