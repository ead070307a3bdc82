//! A pooler between us and the server.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use lockage_core::{
    ForeignLocks, ConnectOptions, ErrorKind, Interrupt, LockKey, LockStrategy, LockWait, ForeignLock,
    Outcome, Tool,
};
use lockage_postgres::BACKEND;
use lockage_testkit::TestError;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::child::{Child, Part};
use crate::place::{Place, connect, runner, texts, until};

crate::tests!(
    a_pooler_that_keeps_no_session_is_found_out_before_anything_is_written,
    a_pooler_that_shares_sessions_serves_with_a_lock_in_a_table,
    nothing_that_is_set_stays_in_a_session_that_others_use,
    a_database_that_is_read_only_by_default_is_written_through_a_pooler,
    what_needs_a_session_is_refused_where_there_is_none,
    a_neighbour_behind_a_pooler_is_refused_and_our_own_lock_given_back,
    the_holder_of_a_row_is_told_with_what_it_does,
    locks_of_both_kinds_exclude_each_other,
    sixteen_processes_behind_a_pooler_migrate_once,
    a_parameter_that_a_pooler_refuses_is_told,
    a_pooler_that_keeps_sessions_serves,
);

/// How many sessions the pooler has.
const POOL: usize = 3;

/// PgBouncer before the database of a place.
struct Pooler {
    process: std::process::Child,
    url: String,
    _folder: TempDir,
}

impl Pooler {
    async fn start(place: &Place, mode: &str) -> Result<Self, TestError> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind(("127.0.0.1", 0))
            .await?
            .local_addr()?
            .port();
        let (host, server_port) = place
            .host()
            .rsplit_once(':')
            .ok_or("a host without a port")?;
        let url: tokio_postgres::Config = place.url().parse()?;
        let user = url.get_user().ok_or("no user")?;
        let password =
            String::from_utf8_lossy(url.get_password().unwrap_or_default()).replace('\'', "''");
        let config = format!(
            "[databases]\n* = host={host} port={server_port} user={user} password='{password}'\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\ndefault_pool_size = {POOL}\n"
        );
        let path = folder.path().join("pgbouncer.ini");
        std::fs::write(&path, config)?;
        std::fs::set_permissions(
            folder.path(),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )?;
        let mut command = Command::new(program().ok_or("no pgbouncer")?);
        command
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if std::fs::metadata("/proc/self")
            .is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
        {
            // It refuses to be root.
            command.uid(65534).gid(65534);
        }
        let process = command.spawn()?;
        let pooler = Self {
            process,
            url: format!("postgres://{user}@127.0.0.1:{port}/{}", place.name()),
            _folder: folder,
        };
        let up = async {
            while connect(&pooler.url).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), up)
            .await
            .map_err(|_| "PgBouncer does not answer")?;
        Ok(pooler)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program that `LOCKAGE_TEST_PGBOUNCER` names, or that of the machine's package.
#[expect(
    clippy::disallowed_methods,
    reason = "a test program reads its environment"
)]
fn program() -> Option<PathBuf> {
    let usual = [
        "/usr/sbin/pgbouncer",
        "/usr/bin/pgbouncer",
        "/usr/local/bin/pgbouncer",
    ];
    match std::env::var_os("LOCKAGE_TEST_PGBOUNCER") {
        Some(named) => Some(named.into()),
        None => usual
            .map(PathBuf::from)
            .into_iter()
            .find(|path| path.exists()),
    }
}

/// Why these tests cannot run here.
pub(crate) fn lacks() -> Option<String> {
    program()
        .is_none()
        .then(|| "no pgbouncer: install its package".into())
}

const FILES: &[(&str, &str)] = &[
    ("V1__a.sql", "CREATE TABLE a (n int)"),
    ("V2__b.sql", "INSERT INTO a VALUES (1)"),
];

async fn a_pooler_that_keeps_no_session_is_found_out_before_anything_is_written(
    place: &Place,
) -> Result<(), TestError> {
    for (mode, strategy) in [
        ("transaction", LockStrategy::Advisory),
        ("statement", LockStrategy::Advisory),
        ("statement", LockStrategy::Auto),
        ("statement", LockStrategy::Table),
    ] {
        let pooler = Pooler::start(place, mode).await?;
        let error = runner(&pooler.url, FILES)?
            .connect_options(|options| options.lock_strategy = strategy)
            .up()
            .await
            .err()
            .ok_or("migrated through it")?;
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{mode}: {error:?}");
        assert!(
            error
                .hint()
                .is_some_and(|hint| hint.contains("session pooling")),
            "{error:?}"
        );
        assert!(
            place
                .texts("SELECT 1 FROM pg_tables WHERE schemaname = 'public'")
                .await?
                .is_empty()
        );
        assert!(
            place
                .texts("SELECT 1 FROM here.locks WHERE locktype = 'advisory'")
                .await?
                .is_empty()
        );
        // Looking is harmless through any pooler.
        assert_eq!(
            runner(&pooler.url, FILES)?.check().await?.outcome,
            Outcome::Pending
        );
    }
    Ok(())
}

async fn a_pooler_that_shares_sessions_serves_with_a_lock_in_a_table(
    place: &Place,
) -> Result<(), TestError> {
    let pooler = Pooler::start(place, "transaction").await?;
    place.execute("CREATE TABLE ours (n int)").await?;
    let bare = "-- lockage: no-transaction\nINSERT INTO a VALUES (2);\nCREATE INDEX CONCURRENTLY i ON a (n);\n\
                BEGIN;\nSET LOCAL lock_timeout = '1s';\nINSERT INTO a VALUES (3);\nCOMMIT";
    let fails = "INSERT INTO a VALUES (4); INSERT INTO nowhere VALUES (1)";
    let files = [FILES, &[("V3__c.sql", bare), ("V4__d.sql", fails)]].concat();
    let error = runner(&pooler.url, &files)?
        .up()
        .await
        .err()
        .ok_or("a mistake was applied")?;
    assert_eq!(error.kind(), ErrorKind::MigrationFailed, "{error:?}");
    assert_eq!(
        place.texts("SELECT n FROM a ORDER BY n").await?,
        ["1", "2", "3"]
    );
    assert_eq!(
        place
            .text("SELECT token || fence FROM lockage_lock WHERE label = '4006'")
            .await?,
        "1"
    );
    // Unqualified names lead to the schema of the options, transaction by transaction.
    let more = [("V1__a.sql", "CREATE TABLE b AS SELECT * FROM ours")];
    let elsewhere =
        runner(&pooler.url, &more)?.connect_options(|options| options.schema = Some("app".into()));
    elsewhere.up().await?;
    assert_eq!(
        place
            .texts("SELECT tablename::text FROM pg_tables WHERE schemaname = 'app' ORDER BY 1")
            .await?,
        ["b", "lockage_history", "lockage_lock"]
    );
    assert_eq!(elsewhere.up().await?.outcome, Outcome::UpToDate);
    Ok(())
}

async fn nothing_that_is_set_stays_in_a_session_that_others_use(
    place: &Place,
) -> Result<(), TestError> {
    let pooler = Pooler::start(place, "transaction").await?;
    let sets = "SET work_mem = '7MB'; SELECT set_config('search_path', '', false); SET statement_timeout = '5min';
                CREATE TABLE public.a (n int)";
    let look = "CREATE TABLE b AS SELECT current_setting('work_mem') || current_setting('lock_timeout') AS s";
    runner(&pooler.url, &[("V1__a.sql", sets), ("V2__b.sql", look)])?
        .connect_options(|options| options.ddl_lock_timeout = Some(Duration::from_secs(7)))
        .up()
        .await?;
    assert_eq!(place.text("SELECT s FROM b").await?, "4MB7s");
    // All sessions of the pool, one transaction each.
    let mut others = Vec::new();
    for _ in 0..POOL {
        let other = connect(&pooler.url).await?;
        other.batch_execute("BEGIN").await?;
        let seen = texts(
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

async fn a_database_that_is_read_only_by_default_is_written_through_a_pooler(
    place: &Place,
) -> Result<(), TestError> {
    let name = place.name();
    place
        .execute(&format!(
            "ALTER DATABASE {name} SET default_transaction_read_only = on"
        ))
        .await?;
    let pooler = Pooler::start(place, "transaction").await?;
    let bare = "-- lockage: no-transaction\nINSERT INTO a VALUES (2);\nBEGIN;\nSET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE;\nINSERT INTO a VALUES (3);\nCOMMIT";
    let files = [FILES, &[("V3__c.sql", bare)]].concat();
    runner(&pooler.url, &files)?
        .connect_options(|options| options.schema = Some("app".into()))
        .up()
        .await?;
    // In the script's own transaction too, unqualified names lead to the schema of the options.
    assert_eq!(
        place.texts("SELECT n FROM app.a ORDER BY n").await?,
        ["1", "2", "3"]
    );
    Ok(())
}

async fn what_needs_a_session_is_refused_where_there_is_none(place: &Place) -> Result<(), TestError> {
    let pooler = Pooler::start(place, "transaction").await?;
    let sets = "-- lockage: no-transaction\nCREATE TABLE a (n int);\nSET work_mem = '7MB'";
    let alone = "-- lockage: no-transaction\nVACUUM lockage_history";
    for (script, schema) in [(sets, None), (alone, Some("app"))] {
        let error = runner(&pooler.url, &[("V1__a.sql", script)])?
            .connect_options(|options| options.schema = schema.map(str::to_owned))
            .up()
            .await
            .err()
            .ok_or("it ran")?;
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
        assert!(
            error.hint().is_some_and(|hint| hint.contains("SET LOCAL")),
            "{error:?}"
        );
    }
    let user = place.text("SELECT current_user").await?;
    let role = format!("{}?role={user}", pooler.url);
    let error = runner(&role, FILES)?.up().await.err().ok_or("it ran")?;
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    assert!(error.message().contains("role"), "{error}");
    Ok(())
}

async fn a_neighbour_behind_a_pooler_is_refused_and_our_own_lock_given_back(
    place: &Place,
) -> Result<(), TestError> {
    let pooler = Pooler::start(place, "transaction").await?;
    let sqlx = ForeignLocks::none().with(ForeignLock::Tool(Tool::Sqlx));
    let run = runner(&pooler.url, FILES)?.wait(LockWait::Never);
    let error = run
        .clone()
        .foreign_locks(sqlx)
        .up()
        .await
        .err()
        .ok_or("a lock of sqlx behind the pooler")?;
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    assert!(
        error.message().contains(" of sqlx cannot be taken")
            && error
                .hint()
                .is_some_and(|hint| hint.contains("session pooling") && hint.contains("--align")),
        "{error:?}"
    );
    assert!(
        place
            .texts("SELECT 1 FROM pg_tables WHERE tablename = 'lockage_history'")
            .await?
            .is_empty()
    );
    run.up().await?;
    Ok(())
}

async fn the_holder_of_a_row_is_told_with_what_it_does(place: &Place) -> Result<(), TestError> {
    let pooler = Pooler::start(place, "transaction").await?;
    let sleeps = "CREATE TABLE IF NOT EXISTS a (n int);\nSELECT pg_sleep(600)";
    let bare = format!("-- lockage: no-transaction\n{sleeps}");
    for (url, script) in [
        (pooler.url.clone(), sleeps),
        (place.url(), sleeps),
        (place.url(), &*bare),
    ] {
        let interrupt = Interrupt::new();
        let run = runner(&url, &[("V7__a.sql", script)])?
            .connect_options(|options| options.lock_strategy = LockStrategy::Table)
            .interrupt(interrupt.clone());
        let running = tokio::spawn(async move { run.up().await });
        let asleep = "SELECT 1 FROM here.sessions WHERE wait_event = 'PgSleep'";
        until(&place.client().await?, asleep).await?;
        // Seen from beside the pooler, and by whoever waits for the other kind of lock.
        let holder = place
            .runner(FILES)?
            .lock_holder()
            .await?
            .ok_or("nobody holds it")?;
        assert_eq!(holder.migration.as_deref(), Some("7"), "{holder:?}");
        assert_eq!(
            holder.statement.as_deref(),
            Some("SELECT pg_sleep(600)"),
            "{holder:?}"
        );
        let progress = holder.progress.unwrap_or_default();
        assert!(progress.starts_with("works since 20"), "{progress}");
        let query = holder.query.ok_or("no query shows it")?;
        let seen = format!("SELECT count(*)::text FROM ({query}) q");
        assert_eq!(place.text(&seen).await?, "1", "{query}");
        interrupt.trigger();
        let error = running.await?.err().ok_or("it slept ten minutes")?;
        assert_eq!(error.kind(), ErrorKind::Interrupted, "{error:?}");
    }
    Ok(())
}

async fn locks_of_both_kinds_exclude_each_other(place: &Place) -> Result<(), TestError> {
    let pooler = Pooler::start(place, "transaction").await?;
    let key = LockKey::default();
    let try_lock = |url: String| async move {
        let mut session = BACKEND.connect(&ConnectOptions::new(&*url)?).await?;
        let got = session.try_lock(&LockKey::default()).await?;
        Ok::<_, TestError>((session, got))
    };
    // Beside the pooler first, where no table has been made yet.
    let (mut direct, got) = try_lock(place.url()).await?;
    assert!(got);
    let (pooled, got) = try_lock(pooler.url.clone()).await?;
    assert!(!got, "the pooled session has the lock too");
    drop(pooled);
    direct.unlock(&key).await?;
    // Behind it first.
    let (mut pooled, got) = try_lock(pooler.url.clone()).await?;
    assert!(got);
    let (mut waits, got) = try_lock(place.url()).await?;
    assert!(!got, "the direct session has the lock too");
    let holder = waits.holder(&key).await?.ok_or("nobody holds it")?;
    assert!(holder.user.is_some() && holder.host.is_some(), "{holder:?}");
    pooled.unlock(&key).await?;
    // A lease that ran out is taken over by the other kind as well, and whoever had it finds that out.
    let (mut pooled, got) = try_lock(pooler.url.clone()).await?;
    assert!(got);
    place
        .execute("UPDATE lockage_lock SET lease_until = 1, beat = beat + 1")
        .await?;
    let (mut direct, got) = try_lock(place.url()).await?;
    assert!(got && !pooled.holds(&key).await?);
    direct.unlock(&key).await?;
    Ok(())
}

async fn sixteen_processes_behind_a_pooler_migrate_once(place: &Place) -> Result<(), TestError> {
    const PROCESSES: usize = 16;
    let pooler = Pooler::start(place, "transaction").await?;
    let scripts = [
        "CREATE TABLE a (n int)",
        "INSERT INTO a VALUES (1)",
        "-- lockage: no-transaction\nCREATE INDEX CONCURRENTLY i ON a (n);\nINSERT INTO a VALUES (2)",
        "INSERT INTO a VALUES (3)",
    ];
    let mut children = Vec::new();
    for number in 0..PROCESSES {
        // One of them is not behind it.
        let url = match number {
            7 => place.url(),
            _ => pooler.url.clone(),
        };
        children.push(Child::start(&[], Part::Up, &url, &scripts)?);
    }
    let mut outcomes = Vec::new();
    for child in &mut children {
        outcomes.push(child.says().await?);
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
        place.texts("SELECT n FROM a ORDER BY n").await?,
        ["1", "2", "3"]
    );
    Ok(())
}

async fn a_parameter_that_a_pooler_refuses_is_told(place: &Place) -> Result<(), TestError> {
    let pooler = Pooler::start(place, "session").await?;
    let url = format!("{}?options=-c%20work_mem%3D7MB", pooler.url);
    let error = runner(&url, FILES)?
        .up()
        .await
        .err()
        .ok_or("the pooler took it")?;
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    assert!(
        error.hint().is_some_and(|hint| hint.contains("`options`")),
        "{error:?}"
    );
    Ok(())
}

async fn a_pooler_that_keeps_sessions_serves(place: &Place) -> Result<(), TestError> {
    let pooler = Pooler::start(place, "session").await?;
    let mut replicas = Vec::new();
    for _ in 0..2 {
        let runner = runner(&pooler.url, FILES)?;
        replicas.push(tokio::spawn(async move { runner.up().await }));
    }
    for replica in replicas {
        replica.await??;
    }
    assert_eq!(place.text("SELECT count(*) FROM a").await?, "1");
    // The pool is used up to the last session: ours was kept for us.
    let others = [connect(&pooler.url).await?, connect(&pooler.url).await?];
    for other in &others {
        texts(other, "SELECT 1").await?;
    }
    let more = [FILES, &[("V3__c.sql", "INSERT INTO a VALUES (2)")]].concat();
    runner(&pooler.url, &more)?.up().await?;
    assert_eq!(place.text("SELECT count(*) FROM a").await?, "2");
    Ok(())
}
