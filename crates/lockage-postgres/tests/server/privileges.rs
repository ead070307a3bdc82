//! Users with few privileges.

use lockage_core::{ErrorKind, LockStrategy, Outcome, Runner};
use lockage_testkit::TestError;

use crate::error_checks::{context_contains, error_line, error_of, expect_error, hint_contains};
use crate::migrations::{no_transaction, runner, with_lock_strategy};
use crate::test_database::TestDatabase;

crate::tests!(
    existing_schema_needs_no_create_privilege,
    read_only_schema_error_lists_privileges,
    table_of_another_owner_error_lists_privileges,
    unreadable_history_is_an_error,
    hidden_history_schema_is_an_error,
    read_only_default_of_role_is_overridden,
    read_only_script_transaction_is_an_error,
    time_limits_of_role_are_overridden,
    search_path_without_schema_is_an_error,
    unprivileged_waiter_sees_the_holder,
    documented_migrate_grants_suffice,
    documented_read_grants_suffice,
    role_of_the_url_owns_created_objects,
    role_without_membership_is_an_error,
);

const FILES: &[(&str, &str)] = &[("V1__a.sql", "CREATE TABLE a (n int)")];

async fn existing_schema_needs_no_create_privilege(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let (role, url) = database.create_role("").await?;
    database
        .execute(&format!(
            "CREATE SCHEMA app; GRANT USAGE, CREATE ON SCHEMA app TO {role}"
        ))
        .await?;
    assert_eq!(
        database
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
    let runner =
        runner(&url, FILES)?.connect_options(|options| options.schema = Some("other".into()));
    let error = expect_error(runner, ErrorKind::MigrationFailed).await?;
    assert!(context_contains(&error, "sqlstate", "42501"), "{error:?}");
    database.drop_role(&role).await
}

async fn read_only_schema_error_lists_privileges(database: &TestDatabase) -> Result<(), TestError> {
    let (role, url) = database.create_role("").await?;
    database
        .execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        .await?;
    let runner = runner(&url, FILES)?;
    let error = expect_error(runner, ErrorKind::MigrationFailed).await?;
    assert!(
        error
            .message()
            .contains("permission denied for schema public"),
        "{error}"
    );
    assert!(hint_contains(&error, "CREATE on the schema"), "{error:?}");
    database.drop_role(&role).await
}

async fn table_of_another_owner_error_lists_privileges(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let (role, url) = database.create_role("").await?;
    database
        .execute(&format!(
            "CREATE TABLE theirs (n int); GRANT CREATE ON SCHEMA public TO {role}"
        ))
        .await?;
    let script = [(
        "V1__a.sql",
        "SELECT 1;\nALTER TABLE theirs ADD COLUMN m int",
    )];
    let runner = runner(&url, &script)?;
    let error = expect_error(runner, ErrorKind::MigrationFailed).await?;
    assert!(hint_contains(&error, "ownership"), "{error:?}");
    assert_eq!(error_line(&error), Some(2), "{error:?}");
    database.drop_role(&role).await
}

async fn unreadable_history_is_an_error(database: &TestDatabase) -> Result<(), TestError> {
    database.runner(FILES)?.up().await?;
    let (role, url) = database.create_role("").await?;
    let error = error_of(runner(&url, FILES)?.check().await, ErrorKind::Unexpected)?;
    assert!(
        error.message().contains("permission denied") && !error.is_temporary(),
        "{error:?}"
    );
    assert!(hint_contains(&error, "lockage_history"), "{error:?}");
    database
        .execute(&format!("GRANT SELECT ON lockage_history TO {role}"))
        .await?;
    runner(&url, FILES)?.check().await?;
    database.drop_role(&role).await
}

/// The server silently skips a schema without the USAGE privilege, so the next schema of the search path would get a second history.
async fn hidden_history_schema_is_an_error(database: &TestDatabase) -> Result<(), TestError> {
    database.runner(FILES)?.up().await?;
    let (role, url) = database.create_role("").await?;
    database
        .execute(&format!(
            "REVOKE ALL ON SCHEMA public FROM PUBLIC; CREATE SCHEMA {role} AUTHORIZATION {role}"
        ))
        .await?;
    let runner = |url: &str| runner(url, FILES);
    for error in [
        error_of(runner(&url)?.check().await, ErrorKind::Unexpected)?,
        error_of(runner(&url)?.up().await, ErrorKind::Unexpected)?,
    ] {
        assert!(
            error.message().contains("schema public") && !error.is_temporary(),
            "{error:?}"
        );
        assert!(
            hint_contains(&error, "GRANT USAGE ON SCHEMA \"public\""),
            "{error:?}"
        );
    }
    // A history outside the search path does not matter.
    database
        .execute(&format!("ALTER ROLE {role} SET search_path = {role}"))
        .await?;
    runner(&url)?.up().await?;
    database.drop_role(&role).await
}

async fn read_only_default_of_role_is_overridden(database: &TestDatabase) -> Result<(), TestError> {
    let files = [
        ("V1__a.sql", "CREATE TABLE a (n int)"),
        (
            "V2__b.sql",
            "-- lockage: no-transaction\nINSERT INTO a VALUES (1);\nRESET ALL;\nCREATE INDEX CONCURRENTLY i ON a (n)",
        ),
    ];
    for strategy in [LockStrategy::Advisory, LockStrategy::Table] {
        let (role, url) = database.create_role("").await?;
        database
            .execute(&format!(
                "GRANT CREATE ON SCHEMA public TO {role}; ALTER ROLE {role} SET default_transaction_read_only = on"
            ))
            .await?;
        let runner = with_lock_strategy(runner(&url, &files)?, strategy);
        assert_eq!(runner.up().await?.applied.len(), 2, "{strategy:?}");
        assert!(runner.lock_holder().await?.is_none());
        database.drop_role(&role).await?;
    }
    Ok(())
}

/// `transaction_timeout` exists from PostgreSQL 17.
async fn time_limits_of_role_are_overridden(database: &TestDatabase) -> Result<(), TestError> {
    let (role, url) = database.create_role("").await?;
    let mut limits = vec!["statement_timeout", "lock_timeout"];
    if database.version().await? >= 17 {
        limits.push("transaction_timeout");
    }
    for limit in limits {
        database
            .execute(&format!("ALTER ROLE {role} SET {limit} = '300ms'"))
            .await?;
    }
    database
        .execute(&format!("GRANT CREATE ON SCHEMA public TO {role}"))
        .await?;
    let files = [
        (
            "V1__a.sql",
            "CREATE TABLE a (n int); SELECT pg_sleep(0.5); SELECT pg_sleep(0.5)",
        ),
        (
            "V2__b.sql",
            "-- lockage: no-transaction\nSELECT pg_sleep(0.5)",
        ),
    ];
    assert_eq!(runner(&url, &files)?.up().await?.applied.len(), 2);
    database.drop_role(&role).await
}

/// A script may make its own transactions read only, except those in which Lockage writes the history.
async fn read_only_script_transaction_is_an_error(
    database: &TestDatabase,
) -> Result<(), TestError> {
    database.execute("CREATE TABLE a (n int)").await?;
    let sets = "-- lockage: no-transaction\nSET default_transaction_read_only = on;\nINSERT INTO a VALUES (1);\nBEGIN READ WRITE;\n\
                INSERT INTO a VALUES (2);\nCOMMIT;\nRESET ALL;\nINSERT INTO a VALUES (3)";
    let characteristics =
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; INSERT INTO a VALUES (4)";
    let files = [
        ("V1__sets.sql", sets),
        ("V2__characteristics.sql", characteristics),
        ("V3__next.sql", "INSERT INTO a VALUES (5)"),
    ];
    database.runner(&files)?.up().await?;
    assert_eq!(
        database.texts("SELECT n FROM a ORDER BY n").await?,
        ["1", "2", "3", "4", "5"]
    );
    let read_only = "SET TRANSACTION READ ONLY; SELECT n FROM a";
    let autocommit = no_transaction("BEGIN READ ONLY;\nSELECT n FROM a;\nCOMMIT");
    for script in [read_only, &*autocommit] {
        let runner = database.runner(&[&files[..], &[("V4__read_only.sql", script)]].concat())?;
        let error = expect_error(runner, ErrorKind::MigrationFailed).await?;
        assert!(hint_contains(&error, "READ ONLY"), "{error:?}");
    }
    Ok(())
}

async fn search_path_without_schema_is_an_error(database: &TestDatabase) -> Result<(), TestError> {
    let (role, url) = database.create_role("").await?;
    database
        .execute(&format!("ALTER ROLE {role} SET search_path = missing"))
        .await?;
    let runner = runner(&url, FILES)?;
    let error = expect_error(runner, ErrorKind::InvalidConfig).await?;
    assert!(hint_contains(&error, "--schema"), "{error:?}");
    database.drop_role(&role).await
}

async fn unprivileged_waiter_sees_the_holder(database: &TestDatabase) -> Result<(), TestError> {
    let (role, url) = database.create_role("").await?;
    let holder = database.client().await?;
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
    database.drop_role(&role).await
}

/// The privileges are those in `docs/locking.md`.
async fn documented_migrate_grants_suffice(database: &TestDatabase) -> Result<(), TestError> {
    let (role, url) = database.create_role("").await?;
    database
        .execute(&format!(
            "REVOKE ALL ON SCHEMA public FROM PUBLIC; CREATE SCHEMA app; GRANT USAGE, CREATE ON SCHEMA app TO {role}"
        ))
        .await?;
    let autocommit = "-- lockage: no-transaction\nCREATE INDEX CONCURRENTLY i ON a (n);\nCALL p()";
    let files = [
        ("V1__a.sql", "CREATE TABLE a (n int)"),
        (
            "V2__b.sql",
            "CREATE PROCEDURE p() LANGUAGE sql AS 'INSERT INTO a VALUES (1)'",
        ),
        ("V3__c.sql", autocommit),
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
    assert_eq!(database.text("SELECT count(*) FROM app.a").await?, "1");
    database.drop_role(&role).await
}

async fn documented_read_grants_suffice(database: &TestDatabase) -> Result<(), TestError> {
    let with_schema =
        |runner: Runner| runner.connect_options(|options| options.schema = Some("app".into()));
    with_schema(database.runner(FILES)?).up().await?;
    let (role, url) = database.create_role("").await?;
    database
        .execute(&format!(
            "REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA app TO {role}; GRANT SELECT ON app.lockage_history TO {role}"
        ))
        .await?;
    let reader = with_schema(runner(&url, FILES)?);
    assert_eq!(reader.status().await?.len(), 1);
    assert_eq!(reader.check().await?.outcome, Outcome::UpToDate);
    assert_eq!(reader.up().await?.outcome, Outcome::UpToDate);
    assert!(reader.lock_holder().await?.is_none());
    reader.wait_until_current(None).await?;
    database.drop_role(&role).await
}

async fn role_of_the_url_owns_created_objects(database: &TestDatabase) -> Result<(), TestError> {
    let (login, url) = database.create_role("NOINHERIT").await?;
    let (owner, _) = database.create_role("").await?;
    database
        .execute(&format!(
            "REVOKE ALL ON SCHEMA public FROM PUBLIC; CREATE SCHEMA app AUTHORIZATION {owner}; GRANT {owner} TO {login}"
        ))
        .await?;
    let autocommit = "-- lockage: no-transaction\nCREATE TABLE app.c (n int);\nRESET ROLE;\nSELECT 1;\nBEGIN;\nSELECT 2;\nCOMMIT";
    let files = [
        ("V1__a.sql", "CREATE TABLE a (n int)"),
        ("V2__b.sql", "CREATE TABLE b (n int); RESET ROLE"),
        ("V3__c.sql", autocommit),
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
        assert_eq!(database.texts(owners).await?, [owner.as_str()]);
        database
            .execute(
                "DROP TABLE app.a, app.b, app.c, app.d, app.lockage_history, app.lockage_journal",
            )
            .await?;
    }
    database.drop_role(&login).await?;
    database.drop_role(&owner).await
}

async fn role_without_membership_is_an_error(database: &TestDatabase) -> Result<(), TestError> {
    let (login, url) = database.create_role("").await?;
    let (owner, _) = database.create_role("").await?;
    for role in [owner.as_str(), "missing%20role"] {
        let error = error_of(
            runner(&format!("{url}?role={role}"), FILES)?.check().await,
            ErrorKind::InvalidConfig,
        )?;
        assert!(hint_contains(&error, "GRANT"), "{error:?}");
    }
    database.drop_role(&login).await?;
    database.drop_role(&owner).await
}
