//! Databases and users of other kinds.

use lockage_sqlserver::lockage_core::{ErrorKind, LockKey, Outcome};
use lockage_testkit::{TestError, unique_name};

use crate::place::{CASE_SENSITIVE, Place, ensure, options, runner};
use crate::witness::execute;

crate::tests![
    a_history_in_another_schema,
    a_database_that_tells_capitals_apart[Collation],
    readers_that_wait_for_writers[WaitingReaders],
    readers_that_do_not_wait,
    a_login_with_few_rights,
    a_login_that_may_not_lock[Deny],
];

const FILES: [(&str, &str); 2] = [
    ("V1__a.sql", "CREATE TABLE seen (n INT)"),
    ("V2__b.sql", "INSERT INTO seen VALUES (1)"),
];

/// One that every server's policy takes.
const PASSWORD: &str = "Secret-4-all";

async fn a_history_in_another_schema(place: &Place) -> Result<(), TestError> {
    let schema = "Odd \"x\" 'ü'";
    let mut with = place.options()?;
    with.schema = Some(schema.to_owned());
    let report = runner(with.clone(), &FILES)?.up().await?;
    ensure(report.applied.len() == 2, format!("{report:?}"))?;
    let history = "[Odd \"x\" 'ü'].lockage_history";
    ensure(place.applied(history).await? == ["1", "2"], "the history")?;
    let again = runner(with, &FILES)?.up().await?;
    ensure(again.outcome == Outcome::UpToDate, format!("{again:?}"))?;
    // Elsewhere nothing of it is known.
    let elsewhere = runner(place.options()?, &FILES)?.check().await?;
    ensure(
        elsewhere.outcome != Outcome::UpToDate,
        format!("{elsewhere:?}"),
    )
}

async fn a_database_that_tells_capitals_apart(place: &Place) -> Result<(), TestError> {
    let strict = Place::new(&place.server, CASE_SENSITIVE).await?;
    let outcome = all_of_it(&strict).await;
    strict.remove().await?;
    outcome
}

async fn readers_that_wait_for_writers(place: &Place) -> Result<(), TestError> {
    place.wait_for_writers().await?;
    all_of_it(place).await
}

async fn readers_that_do_not_wait(place: &Place) -> Result<(), TestError> {
    let name = &place.name;
    let query = format!(
        "SELECT CONVERT(NVARCHAR(9), is_read_committed_snapshot_on) FROM sys.databases WHERE name = N'{name}'"
    );
    if place.texts(&query).await? != ["1"] {
        let set =
            format!("ALTER DATABASE {name} SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE");
        execute(&place.server, &set).await?;
    }
    all_of_it(place).await
}

/// A race, a failure, a script without a transaction, an undo: every statement of ours runs once.
async fn all_of_it(place: &Place) -> Result<(), TestError> {
    let runs = [0; 4].map(|_| runner(place.options()?, &FILES));
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
    match runner(place.options()?, &more)?.up().await {
        Err(error) if error.kind() == ErrorKind::MigrationFailed => {}
        other => return Err(format!("{other:?}").into()),
    }
    let rows = place
        .texts("SELECT CONVERT(NVARCHAR(9), n) FROM seen ORDER BY n")
        .await?;
    ensure(rows == ["1", "2", "3"], format!("{rows:?}"))?;
    let applied = place.applied("lockage_history").await?;
    ensure(applied == ["1", "2", "3"], format!("{applied:?}"))?;
    // Names of locks are told apart by their capitals, whatever the database does.
    let (mut one, mut other) = (place.session().await?, place.session().await?);
    let lock = async |session: &mut Box<dyn lockage_sqlserver::lockage_core::Session>,
                      name: &str| {
        Ok::<bool, TestError>(session.try_lock(&LockKey::named(name)?).await?)
    };
    ensure(lock(&mut one, "Orders").await?, "a free lock")?;
    ensure(
        !lock(&mut other, "Orders").await?,
        "a lock of somebody else's",
    )?;
    ensure(lock(&mut other, "orders").await?, "another lock")?;
    one.close().await?;
    Ok(other.close().await?)
}

/// Makes a user who owns a schema and may make tables, and gives its URL.
async fn ordinary(place: &Place) -> Result<(String, String), TestError> {
    let user = unique_name("u");
    let make = [
        format!("CREATE LOGIN {user} WITH PASSWORD = '{PASSWORD}'"),
        format!("CREATE USER {user} FOR LOGIN {user}"),
        format!("EXEC (N'CREATE SCHEMA mine AUTHORIZATION {user}')"),
    ];
    for statement in &make {
        place.execute(statement).await?;
    }
    // A peer that does not know this right gives it with the schema.
    let _ = place
        .execute(&format!("GRANT CREATE TABLE TO {user}"))
        .await;
    let (_, rest) = place.url.rsplit_once('@').ok_or("a URL without a user")?;
    Ok((format!("sqlserver://{user}:{PASSWORD}@{rest}"), user))
}

async fn a_login_with_few_rights(place: &Place) -> Result<(), TestError> {
    let (url, user) = ordinary(place).await?;
    let outcome = with_few_rights(&url).await;
    place.execute(&format!("DROP LOGIN {user}")).await?;
    outcome
}

async fn with_few_rights(url: &str) -> Result<(), TestError> {
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
    let mut with = options(url)?;
    with.schema = Some("mine".into());
    let report = runner(with.clone(), &files)?.up().await?;
    ensure(report.applied.len() == 2, format!("{report:?}"))?;
    let again = runner(with.clone(), &files)?.up().await?;
    ensure(again.outcome == Outcome::UpToDate, format!("{again:?}"))?;
    // Who holds a lock is not shown to everybody; that somebody does, is.
    let key = LockKey::default();
    let backend = lockage_sqlserver::BACKEND;
    let (mut holder, mut other) = (backend.connect(&with).await?, backend.connect(&with).await?);
    ensure(holder.try_lock(&key).await?, "a free lock")?;
    let seen = other.holder(&key).await?;
    ensure(seen.is_some(), "a holder that is not seen")?;
    holder.close().await?;
    other.close().await?;
    // What is missing is told by the first statement that needs it.
    with.schema = Some("another".into());
    match runner(with, &files)?.up().await {
        Err(_) => Ok(()),
        Ok(report) => Err(format!("a user without the right made a schema: {report:?}").into()),
    }
}

async fn a_login_that_may_not_lock(place: &Place) -> Result<(), TestError> {
    let (url, user) = ordinary(place).await?;
    let master = crate::witness::with_database(&place.server, "master");
    let deny = [
        format!("CREATE USER {user} FOR LOGIN {user}"),
        format!("DENY EXECUTE ON sys.sp_getapplock TO {user}"),
    ];
    for statement in &deny {
        execute(&master, statement).await?;
    }
    let mut with = options(&url)?;
    with.schema = Some("mine".into());
    let refused = runner(with, &FILES)?.up().await;
    execute(&master, &format!("DROP USER {user}")).await?;
    place.execute(&format!("DROP LOGIN {user}")).await?;
    match refused {
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
