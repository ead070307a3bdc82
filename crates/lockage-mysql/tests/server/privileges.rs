//! Accounts with few privileges.

use lockage_mysql::lockage_core::{ErrorKind, LockKey, LockStrategy, LockWait, Outcome};
use lockage_testkit::TestError;

use crate::lock_client::{connect, lock};
use crate::runner::runner;
use crate::test_database::TestDatabase;

crate::test_list::tests!(
    database_privileges_suffice,
    five_privileges_suffice_for_bookkeeping,
    read_only_user_can_check_and_learns_missing_privilege,
    holder_report_without_process_privilege_has_session_only,
);

const FILES: &[(&str, &str)] = &[(
    "V1__a.sql",
    "CREATE TABLE a (n INT); INSERT INTO a VALUES (1); ALTER TABLE a MODIFY n BIGINT; TRUNCATE TABLE a; CREATE VIEW v AS SELECT * FROM a",
)];

async fn database_privileges_suffice(database: &TestDatabase) -> Result<(), TestError> {
    let (name, url) = database.create_account("ALL PRIVILEGES").await?;
    let done = runner(&url, FILES)?.up().await;
    database.drop_account(&name).await?;
    assert_eq!(done?.outcome, Outcome::Applied);
    Ok(())
}

async fn five_privileges_suffice_for_bookkeeping(database: &TestDatabase) -> Result<(), TestError> {
    let (name, url) = database
        .create_account("SELECT, INSERT, UPDATE, DELETE, CREATE")
        .await?;
    let files = [
        (
            "V1__a.sql",
            "CREATE TABLE a (n INT); INSERT INTO a VALUES (1)",
        ),
        ("V2__b.sql", "CREATE TABLE b (n INT); NONSENSE"),
    ];
    let mut outcomes = Vec::new();
    for strategy in [LockStrategy::Advisory, LockStrategy::Table] {
        let runner_with = |files: &[(&str, &str)]| -> Result<_, TestError> {
            Ok(runner(&url, files)?.connect_options(|options| options.lock_strategy = strategy))
        };
        let failed = runner_with(&files)?.up().await.map(|report| report.outcome);
        let fixed = [files[0], ("V2__b.sql", "CREATE TABLE b (n INT)")];
        let done = runner_with(&fixed)?.up().await.map(|report| report.outcome);
        outcomes.push((strategy, failed.map_err(|error| error.kind()), done));
        database
            .execute("DROP TABLE a, b, lockage_history, lockage_journal")
            .await?;
    }
    database.drop_account(&name).await?;
    for (strategy, failed, done) in outcomes {
        assert_eq!(failed, Err(ErrorKind::MigrationFailed), "{strategy:?}");
        assert_eq!(done?, Outcome::Applied, "{strategy:?}");
    }
    Ok(())
}

async fn read_only_user_can_check_and_learns_missing_privilege(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let (name, url) = database.create_account("SELECT").await?;
    let reader = runner(&url, FILES)?;
    assert_eq!(reader.check().await?.outcome, Outcome::Pending);
    let error = reader.up().await.unwrap_err();
    database.runner(FILES)?.up().await?;
    let current = reader.up().await;
    database.drop_account(&name).await?;
    assert_eq!(error.kind(), ErrorKind::MigrationFailed, "{error:?}");
    assert!(
        error.hint().is_some_and(|hint| hint.contains("privilege")),
        "{error:?}"
    );
    assert_eq!(current?.outcome, Outcome::UpToDate);
    Ok(())
}

async fn holder_report_without_process_privilege_has_session_only(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let key = LockKey::default();
    let locked = lock(connect(&database.url()).await?, &key).await?;
    let full = connect(&database.url())
        .await?
        .holder(&key)
        .await?
        .ok_or("no holder")?;
    let (name, url) = database.create_account("ALL PRIVILEGES").await?;
    let limited = connect(&url)
        .await?
        .holder(&key)
        .await?
        .ok_or("no holder")?;
    let waited = runner(&url, FILES)?
        .wait(LockWait::Never)
        .up()
        .await
        .unwrap_err();
    database.drop_account(&name).await?;
    locked.release().await?;
    assert!(
        full.user.is_some() && full.host.is_some() && full.session.is_some(),
        "{full:?}"
    );
    assert_eq!(
        (limited.session.as_ref(), limited.user),
        (full.session.as_ref(), None)
    );
    assert!(waited.message().contains("PROCESS"), "{waited}");
    assert!(
        full.session
            .is_some_and(|session| waited.message().contains(&session)),
        "{waited}"
    );
    Ok(())
}
