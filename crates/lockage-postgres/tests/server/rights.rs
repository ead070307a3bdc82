//! Users who may not do everything.

use lockage_core::{ErrorKind, LockStrategy, Outcome, Runner};
use lockage_testkit::TestError;

use crate::place::{Place, runner};

crate::tests!(
    a_schema_that_exists_needs_no_right_to_make_one,
    a_schema_that_may_not_be_written_is_told_with_what_is_needed,
    a_table_of_somebody_else_is_told_with_what_is_needed,
    a_history_that_may_not_be_read_is_told,
    a_history_in_a_schema_that_may_not_be_entered_is_not_none,
    a_role_that_only_reads_by_default_migrates_all_the_same,
    a_script_that_wants_to_read_only_is_told_where_our_rows_are_to_be_part_of_it,
    a_search_path_without_a_schema_is_told,
    a_waiter_sees_the_holder_without_rights,
    what_the_documentation_grants_is_enough_to_migrate,
    what_the_documentation_grants_is_enough_to_look,
    a_role_of_the_url_makes_and_owns_everything,
    a_role_that_may_not_be_taken_is_told,
);

const FILES: &[(&str, &str)] = &[("V1__a.sql", "CREATE TABLE a (n int)")];

async fn a_schema_that_exists_needs_no_right_to_make_one(place: &Place) -> Result<(), TestError> {
    let (role, url) = place.role("").await?;
    place
        .execute(&format!(
            "CREATE SCHEMA app; GRANT USAGE, CREATE ON SCHEMA app TO {role}"
        ))
        .await?;
    assert_eq!(
        place
            .text(&format!(
                "SELECT has_database_privilege('{role}', current_database(), 'CREATE')"
            ))
            .await?,
        "f"
    );
    let report = runner(&url, FILES)?
        .connect_options(|options| options.schema = Some("app".into()))
        .up()
        .await?;
    assert_eq!(report.applied.len(), 1);
    let missing = runner(&url, FILES)?
        .connect_options(|options| options.schema = Some("other".into()))
        .up()
        .await;
    let error = missing.err().ok_or("a schema was made without the right")?;
    assert!(
        error.context().any(|pair| pair == ("sqlstate", "42501")),
        "{error:?}"
    );
    place.drop_role(&role).await
}

async fn a_schema_that_may_not_be_written_is_told_with_what_is_needed(
    place: &Place,
) -> Result<(), TestError> {
    let (role, url) = place.role("").await?;
    place
        .execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        .await?;
    let error = runner(&url, FILES)?
        .up()
        .await
        .err()
        .ok_or("a table was made without the right")?;
    assert_eq!(error.kind(), ErrorKind::MigrationFailed);
    assert!(
        error
            .message()
            .contains("permission denied for schema public"),
        "{error}"
    );
    assert!(
        error
            .hint()
            .is_some_and(|hint| hint.contains("CREATE on the schema")),
        "{error:?}"
    );
    place.drop_role(&role).await
}

async fn a_table_of_somebody_else_is_told_with_what_is_needed(
    place: &Place,
) -> Result<(), TestError> {
    let (role, url) = place.role("").await?;
    place
        .execute(&format!(
            "CREATE TABLE theirs (n int); GRANT CREATE ON SCHEMA public TO {role}"
        ))
        .await?;
    let script = [(
        "V1__a.sql",
        "SELECT 1;\nALTER TABLE theirs ADD COLUMN m int",
    )];
    let error = runner(&url, &script)?
        .up()
        .await
        .err()
        .ok_or("a table was changed without the right")?;
    assert_eq!(error.kind(), ErrorKind::MigrationFailed);
    assert!(
        error.hint().is_some_and(|hint| hint.contains("ownership")),
        "{error:?}"
    );
    assert_eq!(
        error.location().and_then(|location| location.line),
        Some(2),
        "{error:?}"
    );
    place.drop_role(&role).await
}

async fn a_history_that_may_not_be_read_is_told(place: &Place) -> Result<(), TestError> {
    place.runner(FILES)?.up().await?;
    let (role, url) = place.role("").await?;
    let error = runner(&url, FILES)?
        .check()
        .await
        .err()
        .ok_or("the history was read without the right")?;
    assert!(
        error.message().contains("permission denied") && !error.is_temporary(),
        "{error:?}"
    );
    assert!(
        error
            .hint()
            .is_some_and(|hint| hint.contains("lockage_history")),
        "{error:?}"
    );
    place
        .execute(&format!("GRANT SELECT ON lockage_history TO {role}"))
        .await?;
    runner(&url, FILES)?.check().await?;
    place.drop_role(&role).await
}

/// The server passes over such a schema without a word, and the next one of the search path would get a second history.
async fn a_history_in_a_schema_that_may_not_be_entered_is_not_none(
    place: &Place,
) -> Result<(), TestError> {
    place.runner(FILES)?.up().await?;
    let (role, url) = place.role("").await?;
    place
        .execute(&format!(
            "REVOKE ALL ON SCHEMA public FROM PUBLIC; CREATE SCHEMA {role} AUTHORIZATION {role}"
        ))
        .await?;
    for error in [
        runner(&url, FILES)?.check().await.err(),
        runner(&url, FILES)?.up().await.err(),
    ] {
        let error = error.ok_or("a history that is hidden counted as none")?;
        assert!(
            error.message().contains("the schema public") && !error.is_temporary(),
            "{error:?}"
        );
        assert!(
            error
                .hint()
                .is_some_and(|hint| hint.contains("GRANT USAGE ON SCHEMA \"public\"")),
            "{error:?}"
        );
    }
    // What others keep elsewhere is none of ours.
    place
        .execute(&format!("ALTER ROLE {role} SET search_path = {role}"))
        .await?;
    runner(&url, FILES)?.up().await?;
    place.drop_role(&role).await
}

async fn a_role_that_only_reads_by_default_migrates_all_the_same(
    place: &Place,
) -> Result<(), TestError> {
    let files = [
        ("V1__a.sql", "CREATE TABLE a (n int)"),
        (
            "V2__b.sql",
            "-- lockage: no-transaction\nINSERT INTO a VALUES (1);\nRESET ALL;\nCREATE INDEX CONCURRENTLY i ON a (n)",
        ),
    ];
    for strategy in [LockStrategy::Advisory, LockStrategy::Table] {
        let (role, url) = place.role("").await?;
        place
            .execute(&format!(
                "GRANT CREATE ON SCHEMA public TO {role}; ALTER ROLE {role} SET default_transaction_read_only = on"
            ))
            .await?;
        let runner =
            runner(&url, &files)?.connect_options(|options| options.lock_strategy = strategy);
        assert_eq!(runner.up().await?.applied.len(), 2, "{strategy:?}");
        assert!(runner.lock_holder().await?.is_none());
        place.drop_role(&role).await?;
    }
    Ok(())
}

/// Its own transactions may only read as long as it says so, and our rows are none of its business.
async fn a_script_that_wants_to_read_only_is_told_where_our_rows_are_to_be_part_of_it(
    place: &Place,
) -> Result<(), TestError> {
    place.execute("CREATE TABLE a (n int)").await?;
    let sets = "-- lockage: no-transaction\nSET default_transaction_read_only = on;\nINSERT INTO a VALUES (1);\nBEGIN READ WRITE;\n\
                INSERT INTO a VALUES (2);\nCOMMIT;\nRESET ALL;\nINSERT INTO a VALUES (3)";
    let characteristics =
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; INSERT INTO a VALUES (4)";
    let files = [
        ("V1__sets.sql", sets),
        ("V2__characteristics.sql", characteristics),
        ("V3__next.sql", "INSERT INTO a VALUES (5)"),
    ];
    place.runner(&files)?.up().await?;
    assert_eq!(
        place.texts("SELECT n FROM a ORDER BY n").await?,
        ["1", "2", "3", "4", "5"]
    );
    let only = "SET TRANSACTION READ ONLY; SELECT n FROM a";
    let bare = "-- lockage: no-transaction\nBEGIN READ ONLY;\nSELECT n FROM a;\nCOMMIT";
    for script in [only, bare] {
        let error = place
            .runner(&[&files[..], &[("V4__only.sql", script)]].concat())?
            .up()
            .await
            .err()
            .ok_or("a row was written in a transaction that only reads")?;
        assert!(
            error.hint().is_some_and(|hint| hint.contains("READ ONLY")),
            "{error:?}"
        );
    }
    Ok(())
}

async fn a_search_path_without_a_schema_is_told(place: &Place) -> Result<(), TestError> {
    let (role, url) = place.role("").await?;
    place
        .execute(&format!("ALTER ROLE {role} SET search_path = nowhere"))
        .await?;
    let error = runner(&url, FILES)?
        .up()
        .await
        .err()
        .ok_or("the history found a place")?;
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(
        error.hint().is_some_and(|hint| hint.contains("--schema")),
        "{error:?}"
    );
    place.drop_role(&role).await
}

async fn a_waiter_sees_the_holder_without_rights(place: &Place) -> Result<(), TestError> {
    let (role, url) = place.role("").await?;
    let holder = place.client().await?;
    holder
        .batch_execute("SELECT pg_advisory_lock(4006)")
        .await?;
    let seen = runner(&url, FILES)?
        .lock_holder()
        .await?
        .ok_or("a held lock has no holder")?;
    assert!(seen.session.is_some() && seen.user.is_some(), "{seen:?}");
    assert_eq!(seen.statement, None, "{seen:?}");
    drop(holder);
    place.drop_role(&role).await
}

/// As `docs/locking.md` has it.
async fn what_the_documentation_grants_is_enough_to_migrate(place: &Place) -> Result<(), TestError> {
    let (role, url) = place.role("").await?;
    place
        .execute(&format!(
            "REVOKE ALL ON SCHEMA public FROM PUBLIC; CREATE SCHEMA app; GRANT USAGE, CREATE ON SCHEMA app TO {role}"
        ))
        .await?;
    let bare = "-- lockage: no-transaction\nCREATE INDEX CONCURRENTLY i ON a (n);\nCALL p()";
    let files = [
        ("V1__a.sql", "CREATE TABLE a (n int)"),
        (
            "V2__b.sql",
            "CREATE PROCEDURE p() LANGUAGE sql AS 'INSERT INTO a VALUES (1)'",
        ),
        ("V3__c.sql", bare),
        ("V4__d.sql", "ALTER TABLE a ADD COLUMN m int"),
    ];
    for (count, strategy) in [(3, LockStrategy::Auto), (4, LockStrategy::Table)] {
        let report = runner(&url, &files[..count])?
            .connect_options(|options| {
                options.schema = Some("app".into());
                options.lock_strategy = strategy;
            })
            .up()
            .await?;
        assert!(!report.applied.is_empty());
    }
    assert_eq!(place.text("SELECT count(*) FROM app.a").await?, "1");
    place.drop_role(&role).await
}

async fn what_the_documentation_grants_is_enough_to_look(place: &Place) -> Result<(), TestError> {
    let with_schema =
        |runner: Runner| runner.connect_options(|options| options.schema = Some("app".into()));
    with_schema(place.runner(FILES)?).up().await?;
    let (role, url) = place.role("").await?;
    place
        .execute(&format!(
            "REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA app TO {role}; GRANT SELECT ON app.lockage_history TO {role}"
        ))
        .await?;
    let looks = with_schema(runner(&url, FILES)?);
    assert_eq!(looks.status().await?.len(), 1);
    assert_eq!(looks.check().await?.outcome, Outcome::UpToDate);
    assert_eq!(looks.up().await?.outcome, Outcome::UpToDate);
    assert!(looks.lock_holder().await?.is_none());
    looks.wait_until_current(None).await?;
    place.drop_role(&role).await
}

async fn a_role_of_the_url_makes_and_owns_everything(place: &Place) -> Result<(), TestError> {
    let (login, url) = place.role("NOINHERIT").await?;
    let (owner, _) = place.role("").await?;
    place
        .execute(&format!(
            "REVOKE ALL ON SCHEMA public FROM PUBLIC; CREATE SCHEMA app AUTHORIZATION {owner}; GRANT {owner} TO {login}"
        ))
        .await?;
    let bare = "-- lockage: no-transaction\nCREATE TABLE app.c (n int);\nRESET ROLE;\nSELECT 1;\nBEGIN;\nSELECT 2;\nCOMMIT";
    let files = [
        ("V1__a.sql", "CREATE TABLE a (n int)"),
        ("V2__b.sql", "CREATE TABLE b (n int); RESET ROLE"),
        ("V3__c.sql", bare),
        ("V4__d.sql", "CREATE TABLE d (n int)"),
    ];
    let url = format!("{url}?role={owner}");
    for strategy in [LockStrategy::Auto, LockStrategy::Table] {
        let report = runner(&url, &files)?
            .connect_options(|options| {
                options.schema = Some("app".into());
                options.lock_strategy = strategy;
            })
            .up()
            .await?;
        assert_eq!(report.applied.len(), 4);
        let owners = "SELECT DISTINCT tableowner::text FROM pg_tables WHERE schemaname = 'app'";
        assert_eq!(place.texts(owners).await?, [owner.as_str()]);
        place
            .execute(
                "DROP TABLE app.a, app.b, app.c, app.d, app.lockage_history, app.lockage_journal",
            )
            .await?;
    }
    place.drop_role(&login).await?;
    place.drop_role(&owner).await
}

async fn a_role_that_may_not_be_taken_is_told(place: &Place) -> Result<(), TestError> {
    let (login, url) = place.role("").await?;
    let (owner, _) = place.role("").await?;
    for role in [owner.as_str(), "nobody%20at%20all"] {
        let error = runner(&format!("{url}?role={role}"), FILES)?
            .check()
            .await
            .err()
            .ok_or("the role was taken")?;
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error:?}");
        assert!(
            error.hint().is_some_and(|hint| hint.contains("GRANT")),
            "{error:?}"
        );
    }
    place.drop_role(&login).await?;
    place.drop_role(&owner).await
}
