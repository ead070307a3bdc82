//! Accounts that may do less.

use lockage_mysql::lockage_core::{ErrorKind, LockKey, LockStrategy, LockWait, Outcome};
use lockage_testkit::Failure;

use crate::locking::{connect, lock};
use crate::place::{Place, runner};

crate::tests!(
    rights_on_the_database_are_enough,
    five_rights_are_enough_for_what_is_not_the_scripts,
    a_reader_may_look_and_learns_what_is_missing,
    the_holder_is_shown_as_far_as_the_account_may_see,
);

const FILES: &[(&str, &str)] = &[(
    "V1__a.sql",
    "CREATE TABLE a (n INT); INSERT INTO a VALUES (1); ALTER TABLE a MODIFY n BIGINT; TRUNCATE TABLE a; CREATE VIEW v AS SELECT * FROM a",
)];

async fn rights_on_the_database_are_enough(place: &Place) -> Result<(), Failure> {
    let (name, url) = place.account("ALL PRIVILEGES").await?;
    let done = runner(&url, FILES)?.up().await;
    place.drop_account(&name).await?;
    assert_eq!(done?.outcome, Outcome::Applied);
    Ok(())
}

async fn five_rights_are_enough_for_what_is_not_the_scripts(place: &Place) -> Result<(), Failure> {
    let (name, url) = place
        .account("SELECT, INSERT, UPDATE, DELETE, CREATE")
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
        let by = |files: &[(&str, &str)]| -> Result<_, Failure> {
            Ok(runner(&url, files)?.connect_options(|options| options.lock_strategy = strategy))
        };
        let failed = by(&files)?.up().await.map(|report| report.outcome);
        let mended = [files[0], ("V2__b.sql", "CREATE TABLE b (n INT)")];
        let done = by(&mended)?.up().await.map(|report| report.outcome);
        outcomes.push((strategy, failed.map_err(|error| error.kind()), done));
        place
            .execute("DROP TABLE a, b, lockage_history, lockage_journal")
            .await?;
    }
    place.drop_account(&name).await?;
    for (strategy, failed, done) in outcomes {
        assert_eq!(failed, Err(ErrorKind::MigrationFailed), "{strategy:?}");
        assert_eq!(done?, Outcome::Applied, "{strategy:?}");
    }
    Ok(())
}

async fn a_reader_may_look_and_learns_what_is_missing(place: &Place) -> Result<(), Failure> {
    let (name, url) = place.account("SELECT").await?;
    let reader = runner(&url, FILES)?;
    assert_eq!(reader.check().await?.outcome, Outcome::Pending);
    let refused = reader.up().await.unwrap_err();
    place.runner(FILES)?.up().await?;
    let current = reader.up().await;
    place.drop_account(&name).await?;
    assert_eq!(refused.kind(), ErrorKind::MigrationFailed, "{refused:?}");
    assert!(
        refused.hint().is_some_and(|hint| hint.contains("right")),
        "{refused:?}"
    );
    assert_eq!(current?.outcome, Outcome::UpToDate);
    Ok(())
}

async fn the_holder_is_shown_as_far_as_the_account_may_see(place: &Place) -> Result<(), Failure> {
    let key = LockKey::default();
    let locked = lock(connect(&place.url()).await?, &key).await?;
    let all = connect(&place.url())
        .await?
        .holder(&key)
        .await?
        .ok_or("nobody")?;
    let (name, url) = place.account("ALL PRIVILEGES").await?;
    let little = connect(&url).await?.holder(&key).await?.ok_or("nobody")?;
    let waited = runner(&url, FILES)?
        .wait(LockWait::Never)
        .up()
        .await
        .unwrap_err();
    place.drop_account(&name).await?;
    locked.release().await?;
    assert!(
        all.user.is_some() && all.host.is_some() && all.session.is_some(),
        "{all:?}"
    );
    assert_eq!(
        (little.session.as_ref(), little.user),
        (all.session.as_ref(), None)
    );
    assert!(waited.message().contains("PROCESS"), "{waited}");
    assert!(
        all.session
            .is_some_and(|session| waited.message().contains(&session)),
        "{waited}"
    );
    Ok(())
}
