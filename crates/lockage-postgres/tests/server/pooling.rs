//! Migrating through a pooler.

use std::time::Duration;

use lockage_core::{
    ConnectOptions, ErrorKind, ForeignLock, ForeignLocks, Interrupt, LockKey, LockStrategy,
    LockWait, Outcome, Tool,
};
use lockage_postgres::BACKEND;
use lockage_testkit::TestError;

use crate::child::{Child, Role};
use crate::error_checks::{error_of, expect_error, hint_contains};
use crate::migrations::{no_transaction, runner, spawn_up, with_lock_strategy};
use crate::pgbouncer::{POOL_SIZE, PgBouncer};
use crate::sql_client::{connect, first_column};
use crate::test_database::{LOCK_HELD, SLEEPING, TestDatabase};

crate::tests!(
    transaction_pooler_is_detected_before_writing,
    transaction_pooler_uses_table_lock,
    settings_do_not_leak_into_pooled_sessions,
    read_only_default_of_database_is_overridden_through_pooler,
    session_dependent_statements_are_rejected_through_pooler,
    foreign_lock_through_pooler_is_rejected_and_own_lock_released,
    row_holder_report_includes_statement_and_progress,
    both_lock_kinds_exclude_each_other,
    sixteen_processes_through_a_pooler_migrate_once,
    url_parameter_rejected_by_pooler_is_reported,
    session_pooler_uses_advisory_lock,
);

const FILES: &[(&str, &str)] = &[
    ("V1__a.sql", "CREATE TABLE a (n int)"),
    ("V2__b.sql", "INSERT INTO a VALUES (1)"),
];

async fn transaction_pooler_is_detected_before_writing(
    database: &TestDatabase,
) -> Result<(), TestError> {
    for (mode, strategy) in [
        ("transaction", LockStrategy::Advisory),
        ("statement", LockStrategy::Advisory),
        ("statement", LockStrategy::Auto),
        ("statement", LockStrategy::Table),
    ] {
        let pooler = PgBouncer::start(database, mode).await?;
        let run = with_lock_strategy(runner(pooler.url(), FILES)?, strategy);
        let error = expect_error(run, ErrorKind::Unsupported).await?;
        assert!(hint_contains(&error, "session pooling"), "{error:?}");
        assert!(database.has_no_tables().await?);
        assert!(database.texts(LOCK_HELD).await?.is_empty());
        // Reading works through any pooler.
        assert_eq!(
            runner(pooler.url(), FILES)?.check().await?.outcome,
            Outcome::Pending
        );
    }
    Ok(())
}

async fn transaction_pooler_uses_table_lock(database: &TestDatabase) -> Result<(), TestError> {
    let pooler = PgBouncer::start(database, "transaction").await?;
    database.execute("CREATE TABLE ours (n int)").await?;
    let autocommit = "-- lockage: no-transaction\nINSERT INTO a VALUES (2);\nCREATE INDEX CONCURRENTLY i ON a (n);\n\
                BEGIN;\nSET LOCAL lock_timeout = '1s';\nINSERT INTO a VALUES (3);\nCOMMIT";
    let failing = "INSERT INTO a VALUES (4); INSERT INTO missing VALUES (1)";
    let files = [FILES, &[("V3__c.sql", autocommit), ("V4__d.sql", failing)]].concat();
    expect_error(runner(pooler.url(), &files)?, ErrorKind::MigrationFailed).await?;
    assert_eq!(
        database.texts("SELECT n FROM a ORDER BY n").await?,
        ["1", "2", "3"]
    );
    assert_eq!(
        database
            .text("SELECT token || fence FROM lockage_lock WHERE label = '4006'")
            .await?,
        "1"
    );
    // In each transaction, unqualified names use the schema of the options.
    let more = [("V1__a.sql", "CREATE TABLE b AS SELECT * FROM ours")];
    let in_schema =
        runner(pooler.url(), &more)?.connect_options(|options| options.schema = Some("app".into()));
    in_schema.up().await?;
    assert_eq!(
        database
            .texts("SELECT tablename::text FROM pg_tables WHERE schemaname = 'app' ORDER BY 1")
            .await?,
        ["b", "lockage_history", "lockage_lock"]
    );
    assert_eq!(in_schema.up().await?.outcome, Outcome::UpToDate);
    Ok(())
}

async fn settings_do_not_leak_into_pooled_sessions(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let pooler = PgBouncer::start(database, "transaction").await?;
    let sets = "SET work_mem = '7MB'; SELECT set_config('search_path', '', false); SET statement_timeout = '5min';
                CREATE TABLE public.a (n int)";
    let read = "CREATE TABLE b AS SELECT current_setting('work_mem') || current_setting('lock_timeout') AS s";
    runner(pooler.url(), &[("V1__a.sql", sets), ("V2__b.sql", read)])?
        .connect_options(|options| options.ddl_lock_timeout = Some(Duration::from_secs(7)))
        .up()
        .await?;
    assert_eq!(database.text("SELECT s FROM b").await?, "4MB7s");
    // Checks all sessions of the pool: each serves one transaction.
    let mut others = Vec::new();
    for _ in 0..POOL_SIZE {
        let other = connect(pooler.url()).await?;
        other.batch_execute("BEGIN").await?;
        let seen = first_column(
            &other,
            "SELECT current_setting('work_mem') || current_setting('search_path') || current_setting('statement_timeout') \
             || current_setting('lock_timeout') || (current_setting('application_name') LIKE '%lockage%')",
        )
        .await?;
        assert_eq!(seen, ["4MB\"$user\", public00false"]);
        others.push(other);
    }
    Ok(())
}

async fn read_only_default_of_database_is_overridden_through_pooler(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let name = database.name();
    database
        .execute(&format!(
            "ALTER DATABASE {name} SET default_transaction_read_only = on"
        ))
        .await?;
    let pooler = PgBouncer::start(database, "transaction").await?;
    let autocommit = "-- lockage: no-transaction\nINSERT INTO a VALUES (2);\nBEGIN;\nSET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE;\nINSERT INTO a VALUES (3);\nCOMMIT";
    let files = [FILES, &[("V3__c.sql", autocommit)]].concat();
    runner(pooler.url(), &files)?
        .connect_options(|options| options.schema = Some("app".into()))
        .up()
        .await?;
    // Unqualified names use the schema of the options in the script's own transaction too.
    assert_eq!(
        database.texts("SELECT n FROM app.a ORDER BY n").await?,
        ["1", "2", "3"]
    );
    Ok(())
}

async fn session_dependent_statements_are_rejected_through_pooler(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let pooler = PgBouncer::start(database, "transaction").await?;
    let sets = "-- lockage: no-transaction\nCREATE TABLE a (n int);\nSET work_mem = '7MB'";
    let vacuum = "-- lockage: no-transaction\nVACUUM lockage_history";
    for (script, schema) in [(sets, None), (vacuum, Some("app"))] {
        let run = runner(pooler.url(), &[("V1__a.sql", script)])?
            .connect_options(|options| options.schema = schema.map(str::to_owned));
        let error = expect_error(run, ErrorKind::Unsupported).await?;
        assert!(hint_contains(&error, "SET LOCAL"), "{error:?}");
    }
    let user = database.text("SELECT current_user").await?;
    let with_role = format!("{}?role={user}", pooler.url());
    let error = expect_error(runner(&with_role, FILES)?, ErrorKind::Unsupported).await?;
    assert!(error.message().contains("role"), "{error}");
    Ok(())
}

async fn foreign_lock_through_pooler_is_rejected_and_own_lock_released(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let pooler = PgBouncer::start(database, "transaction").await?;
    let sqlx = ForeignLocks::none().with(ForeignLock::Tool(Tool::Sqlx));
    let run = runner(pooler.url(), FILES)?.wait(LockWait::Never);
    let with_foreign_lock = run.clone().foreign_locks(sqlx);
    let error = expect_error(with_foreign_lock, ErrorKind::Unsupported).await?;
    assert!(
        error.message().contains(" of sqlx cannot be acquired")
            && hint_contains(&error, "session pooling")
            && hint_contains(&error, "--align"),
        "{error:?}"
    );
    assert!(!database.has_table("lockage_history").await?);
    run.up().await?;
    Ok(())
}

async fn row_holder_report_includes_statement_and_progress(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let pooler = PgBouncer::start(database, "transaction").await?;
    let sleep = "CREATE TABLE IF NOT EXISTS a (n int);\nSELECT pg_sleep(600)";
    let autocommit = no_transaction(sleep);
    for (url, script) in [
        (pooler.url().to_owned(), sleep),
        (database.url(), sleep),
        (database.url(), &*autocommit),
    ] {
        let interrupt = Interrupt::new();
        let run = runner(&url, &[("V7__a.sql", script)])?.interrupt(interrupt.clone());
        let running = spawn_up(with_lock_strategy(run, LockStrategy::Table));
        database.wait_until(SLEEPING).await?;
        // The reader connects without the pooler, and uses the other kind of lock.
        let holder = database
            .runner(FILES)?
            .lock_holder()
            .await?
            .ok_or("the lock has no holder")?;
        assert_eq!(holder.migration.as_deref(), Some("7"), "{holder:?}");
        assert_eq!(
            holder.statement.as_deref(),
            Some("SELECT pg_sleep(600)"),
            "{holder:?}"
        );
        let progress = holder.progress.unwrap_or_default();
        assert!(progress.starts_with("works since 20"), "{progress}");
        let query = holder.query.ok_or("the report contains no query")?;
        let seen = format!("SELECT count(*)::text FROM ({query}) q");
        assert_eq!(database.text(&seen).await?, "1", "{query}");
        interrupt.trigger();
        error_of(running.await?, ErrorKind::Interrupted)?;
    }
    Ok(())
}

async fn both_lock_kinds_exclude_each_other(database: &TestDatabase) -> Result<(), TestError> {
    let pooler = PgBouncer::start(database, "transaction").await?;
    let key = LockKey::default();
    let try_lock = |url: String| async move {
        let mut session = BACKEND.connect(&ConnectOptions::new(&*url)?).await?;
        let acquired = session.try_lock(&LockKey::default()).await?;
        Ok::<_, TestError>((session, acquired))
    };
    // First without the pooler, before the table of the lock exists.
    let (mut direct, acquired) = try_lock(database.url()).await?;
    assert!(acquired);
    let (pooled, acquired) = try_lock(pooler.url().to_owned()).await?;
    assert!(!acquired, "the pooled session has the lock too");
    drop(pooled);
    direct.unlock(&key).await?;
    // First through the pooler.
    let (mut pooled, acquired) = try_lock(pooler.url().to_owned()).await?;
    assert!(acquired);
    let (mut waiter, acquired) = try_lock(database.url()).await?;
    assert!(!acquired, "the direct session has the lock too");
    let holder = waiter.holder(&key).await?.ok_or("the lock has no holder")?;
    assert!(holder.user.is_some() && holder.host.is_some(), "{holder:?}");
    pooled.unlock(&key).await?;
    // The other kind takes over an expired lease, and the session that held it detects that.
    let (mut pooled, acquired) = try_lock(pooler.url().to_owned()).await?;
    assert!(acquired);
    database
        .execute("UPDATE lockage_lock SET lease_until = 1, beat = beat + 1")
        .await?;
    let (mut direct, acquired) = try_lock(database.url()).await?;
    assert!(acquired && !pooled.holds(&key).await?);
    direct.unlock(&key).await?;
    Ok(())
}

async fn sixteen_processes_through_a_pooler_migrate_once(
    database: &TestDatabase,
) -> Result<(), TestError> {
    const PROCESSES: usize = 16;
    let pooler = PgBouncer::start(database, "transaction").await?;
    let scripts = [
        "CREATE TABLE a (n int)",
        "INSERT INTO a VALUES (1)",
        "-- lockage: no-transaction\nCREATE INDEX CONCURRENTLY i ON a (n);\nINSERT INTO a VALUES (2)",
        "INSERT INTO a VALUES (3)",
    ];
    let mut children = Vec::new();
    for number in 0..PROCESSES {
        // One process connects without the pooler.
        let url = match number {
            7 => database.url(),
            _ => pooler.url().to_owned(),
        };
        children.push(Child::start(&[], Role::Up, &url, &scripts)?);
    }
    let mut outcomes = Vec::new();
    for child in &mut children {
        outcomes.push(child.message().await?);
    }
    outcomes.sort();
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome == "applied" || outcome == "up_to_date"),
        "{outcomes:?}"
    );
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| *outcome == "applied")
            .count(),
        1,
        "{outcomes:?}"
    );
    assert_eq!(
        database.texts("SELECT n FROM a ORDER BY n").await?,
        ["1", "2", "3"]
    );
    Ok(())
}

async fn url_parameter_rejected_by_pooler_is_reported(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let pooler = PgBouncer::start(database, "session").await?;
    let url = format!("{}?options=-c%20work_mem%3D7MB", pooler.url());
    let error = expect_error(runner(&url, FILES)?, ErrorKind::Connect).await?;
    assert!(hint_contains(&error, "`options`"), "{error:?}");
    Ok(())
}

async fn session_pooler_uses_advisory_lock(database: &TestDatabase) -> Result<(), TestError> {
    let pooler = PgBouncer::start(database, "session").await?;
    let mut replicas = Vec::new();
    for _ in 0..2 {
        replicas.push(spawn_up(runner(pooler.url(), FILES)?));
    }
    for replica in replicas {
        replica.await??;
    }
    assert_eq!(database.text("SELECT count(*) FROM a").await?, "1");
    // The pool has one free session left, which it reserves for the run.
    let others = [connect(pooler.url()).await?, connect(pooler.url()).await?];
    for other in &others {
        first_column(other, "SELECT 1").await?;
    }
    let more = [FILES, &[("V3__c.sql", "INSERT INTO a VALUES (2)")]].concat();
    runner(pooler.url(), &more)?.up().await?;
    assert_eq!(database.text("SELECT count(*) FROM a").await?, "2");
    Ok(())
}
