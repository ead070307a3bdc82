//! `repair` and `baseline`.

use lockage_core::{Action, ErrorKind, Outcome, PlanOptions};

use crate::test_database::TestDatabase;

#[tokio::test]
async fn repair_updates_checksum_and_deletes_row() {
    let database = TestDatabase::new();
    let first = ("V1__a.sql", "CREATE TABLE a (n)");
    database
        .runner(&[first, ("V2__b.sql", "CREATE TABLE b (n)")])
        .up()
        .await
        .unwrap();
    let changed = database.runner(&[
        ("V1__a.sql", "CREATE TABLE a (n) -- changed"),
        ("V3__c.sql", "CREATE TABLE c (n)"),
    ]);
    let error = changed.up().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged);
    assert_eq!(error.related().len(), 1, "{error:?}");
    let shown: Vec<_> = changed
        .repairs()
        .await
        .unwrap()
        .iter()
        .map(|repair| repair.step.action)
        .collect();
    assert_eq!(shown, [Action::UpdateChecksum, Action::DeleteRow]);
    let confirmed = changed.repairs().await.unwrap();
    changed.repair(&confirmed).await.unwrap();
    assert!(changed.repairs().await.unwrap().is_empty());
    let report = changed.up().await.unwrap();
    assert_eq!(report.applied.len(), 1);
    assert_eq!(
        database.text("SELECT group_concat(version) FROM lockage_history"),
        "Text(\"1,3\")"
    );
}

#[tokio::test]
async fn baseline_marks_existing_database() {
    let database = TestDatabase::new();
    database
        .client()
        .execute_batch("CREATE TABLE a (n)")
        .unwrap();
    let files = [
        ("V1__a.sql", "CREATE TABLE a (n)"),
        ("V2__b.sql", "CREATE TABLE b (n)"),
    ];
    let mut at = PlanOptions::default();
    at.to = Some("1".parse().unwrap());
    let mark = database.runner(&files).plan_options(at);
    assert_eq!(mark.baseline().await.unwrap().outcome, Outcome::Applied);
    assert_eq!(mark.baseline().await.unwrap().outcome, Outcome::UpToDate);
    let report = database.runner(&files).up().await.unwrap();
    assert_eq!(
        report
            .applied
            .iter()
            .map(|a| a.version.clone().unwrap())
            .collect::<Vec<_>>(),
        ["2"]
    );
    assert_eq!(
        mark.baseline().await.unwrap_err().kind(),
        ErrorKind::Diverged
    );
}

#[tokio::test]
async fn in_doubt_statement_is_resolved_by_user() {
    let database = TestDatabase::new();
    let files = [(
        "V1__a.sql",
        "-- lockage: no-transaction\nCREATE TABLE a (n);\nINSERT INTO a VALUES (1);\nINSERT INTO b VALUES (1);\n",
    )];
    database.runner(&files).up().await.unwrap_err();
    // The row of a run that died while the third statement was running.
    let sum = "(SELECT checksum FROM lockage_journal WHERE statement = 1)";
    let started = format!(
        "INSERT INTO lockage_journal (version, statement, checksum, state, written_at) VALUES ('1', 2, {sum}, 'started', 'now')"
    );
    database.client().execute_batch(&started).unwrap();
    let runner = database.runner(&files);
    let in_doubt = runner.in_doubt(false).await.unwrap();
    runner.repair(&in_doubt).await.unwrap();
    assert_eq!(
        database.text("SELECT count(*) FROM lockage_journal WHERE state = 'started'"),
        "Integer(0)"
    );
    assert_eq!(
        database.text("SELECT count(*) FROM lockage_journal"),
        "Integer(2)"
    );
    database.client().execute_batch(&started).unwrap();
    let in_doubt = runner.in_doubt(true).await.unwrap();
    runner.repair(&in_doubt).await.unwrap();
    assert_eq!(
        database.text("SELECT count(*) FROM lockage_journal WHERE state = 'done'"),
        "Integer(3)"
    );
}
