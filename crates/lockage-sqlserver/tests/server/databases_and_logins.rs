//! Schemas, database options, and logins with few permissions.

use lockage_sqlserver::BACKEND;
use lockage_sqlserver::lockage_core::{ErrorKind, LockKey, Outcome, Session};
use lockage_testkit::{TestError, unique_name};

use crate::direct_client::{execute, with_database};
use crate::test_database::{CASE_SENSITIVE, TestDatabase, ensure, options, runner};

crate::tests![
    history_in_other_schema_is_used,
    case_sensitive_database_completes_lifecycle[Collation],
    blocking_readers_complete_lifecycle[BlockingReaders],
    snapshot_readers_complete_lifecycle,
    login_with_minimal_permissions_migrates,
    login_without_lock_permission_gets_grant_hint[Deny],
];

const FILES: [(&str, &str); 2] = [
    ("V1__a.sql", "CREATE TABLE seen (n INT)"),
    ("V2__b.sql", "INSERT INTO seen VALUES (1)"),
];

/// A password that satisfies every server's policy.
const PASSWORD: &str = "Secret-4-all";

async fn history_in_other_schema_is_used(database: &TestDatabase) -> Result<(), TestError> {
    let schema = "Odd \"x\" 'ü'";
    let mut options = database.options()?;
    options.schema = Some(schema.to_owned());
    let report = runner(options.clone(), &FILES)?.up().await?;
    ensure(report.applied.len() == 2, format!("{report:?}"))?;
    let history = "[Odd \"x\" 'ü'].lockage_history";
    ensure(
        database.applied(history).await? == ["1", "2"],
        "the history",
    )?;
    let again = runner(options, &FILES)?.up().await?;
    ensure(again.outcome == Outcome::UpToDate, format!("{again:?}"))?;
    // The default schema does not contain this history.
    let default_schema = runner(database.options()?, &FILES)?.check().await?;
    ensure(
        default_schema.outcome != Outcome::UpToDate,
        format!("{default_schema:?}"),
    )
}

async fn case_sensitive_database_completes_lifecycle(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let case_sensitive = TestDatabase::create(&database.server, CASE_SENSITIVE).await?;
    let outcome = full_lifecycle(&case_sensitive).await;
    case_sensitive.drop().await?;
    outcome
}

async fn blocking_readers_complete_lifecycle(database: &TestDatabase) -> Result<(), TestError> {
    database.make_readers_block().await?;
    full_lifecycle(database).await
}

async fn snapshot_readers_complete_lifecycle(database: &TestDatabase) -> Result<(), TestError> {
    let name = &database.name;
    let query = format!(
        "SELECT CONVERT(NVARCHAR(9), is_read_committed_snapshot_on) FROM sys.databases WHERE name = N'{name}'"
    );
    if database.texts(&query).await? != ["1"] {
        let set =
            format!("ALTER DATABASE {name} SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE");
        execute(&database.server, &set).await?;
    }
    full_lifecycle(database).await
}

/// Runs concurrent migrations, a script without a transaction, a failing script, and locks whose names differ in case.
async fn full_lifecycle(database: &TestDatabase) -> Result<(), TestError> {
    let runs = [0; 4].map(|_| runner(database.options()?, &FILES));
    let mut running = tokio::task::JoinSet::new();
    for run in runs {
        let run = run?;
        running.spawn(async move { run.up().await });
    }
    let mut applied = 0;
    while let Some(report) = running.join_next().await {
        applied += report??.applied.len();
    }
    ensure(applied == 2, format!("{applied} migrations were applied"))?;
    let more = [
        FILES[0],
        FILES[1],
        (
            "V3__c.sql",
            "-- lockage: no-transaction\nINSERT INTO seen VALUES (2)\nGO\nINSERT INTO seen VALUES (3)",
        ),
        (
            "V4__d.sql",
            "INSERT INTO seen VALUES (4)\nGO\nINSERT INTO not_there VALUES (1)",
        ),
    ];
    match runner(database.options()?, &more)?.up().await {
        Err(error) if error.kind() == ErrorKind::MigrationFailed => {}
        other => return Err(format!("{other:?}").into()),
    }
    let rows = database
        .texts("SELECT CONVERT(NVARCHAR(9), n) FROM seen ORDER BY n")
        .await?;
    ensure(rows == ["1", "2", "3"], format!("{rows:?}"))?;
    let applied = database.applied("lockage_history").await?;
    ensure(applied == ["1", "2", "3"], format!("{applied:?}"))?;
    // Lock names are case-sensitive, whatever the collation of the database is.
    let (mut one, mut other) = (database.session().await?, database.session().await?);
    let lock = async |session: &mut Box<dyn Session>, name: &str| {
        Ok::<bool, TestError>(session.try_lock(&LockKey::named(name)?).await?)
    };
    ensure(lock(&mut one, "Orders").await?, "the lock is not free")?;
    ensure(
        !lock(&mut other, "Orders").await?,
        "two sessions hold the lock",
    )?;
    ensure(
        lock(&mut other, "orders").await?,
        "the locks are not independent",
    )?;
    one.close().await?;
    Ok(other.close().await?)
}

/// Creates a user that owns a schema and may create tables. Returns the URL and the name of the user.
async fn unprivileged(database: &TestDatabase) -> Result<(String, String), TestError> {
    let user = unique_name("u");
    let create = [
        format!("CREATE LOGIN {user} WITH PASSWORD = '{PASSWORD}'"),
        format!("CREATE USER {user} FOR LOGIN {user}"),
        format!("EXEC (N'CREATE SCHEMA mine AUTHORIZATION {user}')"),
    ];
    for statement in &create {
        database.execute(statement).await?;
    }
    // A server without this permission includes it in the ownership of the schema.
    let _ = database
        .execute(&format!("GRANT CREATE TABLE TO {user}"))
        .await;
    let (_, rest) = database.url.rsplit_once('@').ok_or("the URL has no user")?;
    Ok((format!("sqlserver://{user}:{PASSWORD}@{rest}"), user))
}

async fn login_with_minimal_permissions_migrates(database: &TestDatabase) -> Result<(), TestError> {
    let (url, user) = unprivileged(database).await?;
    let outcome = migrate_with_minimal_permissions(&url).await;
    database.execute(&format!("DROP LOGIN {user}")).await?;
    outcome
}

async fn migrate_with_minimal_permissions(url: &str) -> Result<(), TestError> {
    let files = [
        (
            "V1__a.sql",
            "CREATE TABLE mine.seen (n INT)\nGO\nINSERT INTO mine.seen VALUES (1)",
        ),
        (
            "V2__b.sql",
            "-- lockage: no-transaction\nINSERT INTO mine.seen VALUES (2)",
        ),
    ];
    let mut options = options(url)?;
    options.schema = Some("mine".into());
    let report = runner(options.clone(), &files)?.up().await?;
    ensure(report.applied.len() == 2, format!("{report:?}"))?;
    let again = runner(options.clone(), &files)?.up().await?;
    ensure(again.outcome == Outcome::UpToDate, format!("{again:?}"))?;
    // The server hides the holder from this user, but not that the lock is held.
    let key = LockKey::default();
    let mut holder = BACKEND.connect(&options).await?;
    let mut other = BACKEND.connect(&options).await?;
    ensure(holder.try_lock(&key).await?, "the lock is not free")?;
    let found = other.holder(&key).await?;
    ensure(found.is_some(), "the holder was not found")?;
    holder.close().await?;
    other.close().await?;
    // The first statement that needs a missing permission reports it.
    options.schema = Some("another".into());
    match runner(options, &files)?.up().await {
        Err(_) => Ok(()),
        Ok(report) => {
            Err(format!("a schema was created without the permission: {report:?}").into())
        }
    }
}

async fn login_without_lock_permission_gets_grant_hint(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let (url, user) = unprivileged(database).await?;
    let master = with_database(&database.server, "master");
    let deny = [
        format!("CREATE USER {user} FOR LOGIN {user}"),
        format!("DENY EXECUTE ON sys.sp_getapplock TO {user}"),
    ];
    for statement in &deny {
        execute(&master, statement).await?;
    }
    let mut options = options(&url)?;
    options.schema = Some("mine".into());
    let result = runner(options, &FILES)?.up().await;
    execute(&master, &format!("DROP USER {user}")).await?;
    database.execute(&format!("DROP LOGIN {user}")).await?;
    match result {
        Err(error)
            if error
                .hint()
                .is_some_and(|hint| hint.contains("GRANT EXECUTE")) =>
        {
            Ok(())
        }
        other => Err(format!("{other:?}").into()),
    }
}
