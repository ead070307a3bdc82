//! How often a run checks a script.

use std::sync::{Arc, Mutex};

use lockage_core::{Error, ErrorKind, Event, Observer, Status};

use crate::fake_database::{checked_scripts, fake_database, run_other_tasks, set};

const FILES: [(&str, &str); 3] = [("V1__a", ""), ("V2__b", ""), ("R__views", "")];

/// Records [`Step::statements`](lockage_core::Step::statements) of the started steps.
#[derive(Debug, Clone, Default)]
struct StatementCounts(Arc<Mutex<Vec<Option<u32>>>>);

impl Observer for StatementCounts {
    fn on_event(&self, event: &Event<'_>) {
        if let Event::StepStarted { step, .. } = event {
            self.0.lock().unwrap().push(step.statements);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn run_checks_each_pending_script_once() {
    let (_database, runner) = fake_database(&FILES);
    let counts = StatementCounts::default();
    let runner = runner.observer(counts.clone());
    runner.up().await.unwrap();
    assert_eq!(checked_scripts(), "V1__a V2__b R__views");
    assert_eq!(*counts.0.lock().unwrap(), [Some(1); 3]);
    runner.up().await.unwrap();
    assert_eq!(checked_scripts(), "");
}

#[tokio::test(start_paused = true)]
async fn script_without_plan_before_lock_is_checked_under_lock() {
    let (database, runner) = fake_database(&FILES);
    database.fail(
        "history",
        Error::new(ErrorKind::Unexpected, "a writer blocks readers").with_status(Status::Temporary),
    );
    runner.up().await.unwrap();
    assert_eq!(checked_scripts(), "V1__a V2__b R__views");
}

#[tokio::test(start_paused = true)]
async fn waiter_checks_only_scripts_that_stay_pending() {
    let (database, runner) = fake_database(&FILES);
    database.hold();
    let run = tokio::spawn(async move { runner.up().await });
    run_other_tasks().await;
    assert_eq!(checked_scripts(), "V1__a V2__b R__views");
    database.write(&set(&FILES[..1]));
    database.free();
    run.await.unwrap().unwrap();
    assert_eq!(checked_scripts(), "");
    assert_eq!(database.committed(), "V2__b R__views");
}

#[tokio::test(start_paused = true)]
async fn reconnect_checks_no_script_again() {
    let (database, runner) = fake_database(&FILES);
    let disconnected = Error::new(ErrorKind::SessionLost, "the server disconnected")
        .with_status(Status::ConnectionLost);
    database.fail("apply", disconnected);
    runner.up().await.unwrap();
    assert_eq!(checked_scripts(), "V1__a V2__b R__views");
    assert_eq!(database.committed(), "V1__a V2__b R__views");
}

#[tokio::test(start_paused = true)]
async fn plan_counts_statements() {
    let (_database, runner) = fake_database(&FILES);
    let plan = runner.plan().await.unwrap();
    assert!(plan.steps.iter().all(|step| step.statements == Some(1)));
    assert_eq!(checked_scripts(), "V1__a V2__b R__views");
}
