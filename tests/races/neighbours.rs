//! Other tools on the same database: sqlx's own library holds its lock while we wait, and the reverse.

use sqlx_core::connection::Connection;
use sqlx_core::migrate::Migrate;
use sqlx_mysql::MySqlConnection;
use sqlx_postgres::PgConnection;
use tokio::runtime::Runtime;

use crate::case::{Case, ensure, folder, write};
use crate::engine::{Engine, wait_for};
use crate::program::Program;
use crate::stops::holder;

pub(crate) const CASES: &[(&str, Case)] = &[
    ("a_run_waits_for_sqlx", a_run_waits_for_sqlx),
    ("sqlx_waits_for_a_run", sqlx_waits_for_a_run),
    (
        "a_neighbour_that_locks_nothing_is_refused",
        a_neighbour_that_locks_nothing_is_refused,
    ),
];

/// A connection of sqlx's.
enum Sqlx {
    Postgres(PgConnection),
    Mysql(MySqlConnection),
}

impl Sqlx {
    async fn connect(url: &str) -> Result<Self, String> {
        Ok(if url.starts_with("postgres") {
            Self::Postgres(PgConnection::connect(url).await.map_err(told)?)
        } else {
            let url = url.replacen("mariadb://", "mysql://", 1);
            Self::Mysql(MySqlConnection::connect(&url).await.map_err(told)?)
        })
    }

    async fn lock(&mut self) -> Result<(), String> {
        match self {
            Self::Postgres(connection) => connection.lock().await.map_err(told),
            Self::Mysql(connection) => connection.lock().await.map_err(told),
        }
    }

    async fn unlock(&mut self) -> Result<(), String> {
        match self {
            Self::Postgres(connection) => connection.unlock().await.map_err(told),
            Self::Mysql(connection) => connection.unlock().await.map_err(told),
        }
    }

    async fn make_its_table(&mut self) -> Result<(), String> {
        let table = "_sqlx_migrations";
        match self {
            Self::Postgres(connection) => connection.ensure_migrations_table(table).await,
            Self::Mysql(connection) => connection.ensure_migrations_table(table).await,
        }
        .map_err(told)
    }
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn runtime() -> Result<Runtime, String> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(told)
}

fn a_run_waits_for_sqlx(engine: &dyn Engine) -> Result<(), String> {
    let (database, dir, runtime) = (engine.fresh()?, folder()?, runtime()?);
    let (url, dir) = (database.url(), dir.path());
    write(dir, "V1__a.sql", "CREATE TABLE a (n INTEGER);\n")?;
    let mut sqlx = runtime.block_on(Sqlx::connect(&url))?;
    runtime.block_on(sqlx.make_its_table())?;
    runtime.block_on(sqlx.lock())?;
    // Known by its table, it is shown before it is named.
    let status = Program::run(&url, dir, &["lock", "status"])?.json()?;
    let neighbour = &status["neighbours"][0];
    ensure!(
        neighbour["tool"] == "sqlx"
            && neighbour["taken"] == false
            && neighbour["holder"]["session"].is_string()
            && status["holder"].is_null(),
        "{status}"
    );
    for align in ["sqlx", "auto"] {
        let refused = Program::run(&url, dir, &["up", "--no-wait", "--align", align])?;
        let message = refused.json()?["error"]["message"].to_string();
        ensure!(
            refused.exit == Some(5) && message.contains(" of sqlx was not obtained"),
            "{align}: {refused:?}"
        );
    }
    let mut run = Program::start(&url, dir, &["up", "--wait", "forever", "--align", "sqlx"])?;
    let waiting = run.hear(" of sqlx, held by ")?;
    ensure!(waiting.starts_with("waiting for the lock "), "{waiting}");
    let history = "SELECT version FROM lockage_history";
    ensure!(
        database.column(history).is_err(),
        "it wrote while sqlx held its lock"
    );
    runtime.block_on(sqlx.unlock())?;
    let ended = run.end()?;
    ensure!(
        ended.exit == Some(0) && ended.json()?["outcome"] == "applied",
        "{ended:?}"
    );
    ensure!(database.column(history)? == ["1"], "it wrote no history");
    // What it took, it gave back.
    runtime.block_on(sqlx.lock())?;
    runtime.block_on(sqlx.unlock())
}

fn sqlx_waits_for_a_run(engine: &dyn Engine) -> Result<(), String> {
    let (database, dir) = (engine.fresh()?, folder()?);
    let url = database.url();
    let waits = engine.waits_for_lock().ok_or("not offered")?;
    let run = holder(engine, &*database, &url, dir.path(), &["--align", "sqlx"])?;
    let neighbour = std::thread::spawn(move || {
        runtime()?.block_on(async {
            let mut sqlx = Sqlx::connect(&url).await?;
            sqlx.lock().await?;
            sqlx.unlock().await
        })
    });
    wait_for("sqlx, which waits inside the server", || {
        ensure!(
            !neighbour.is_finished(),
            "sqlx got its lock while the run held it"
        );
        Ok((database.column(waits)? == ["1"]).then_some(()))
    })?;
    run.signal("TERM")?;
    let ended = run.end()?;
    ensure!(ended.exit == Some(143), "{ended:?}");
    wait_for("sqlx, which gets its lock", || {
        Ok(neighbour.is_finished().then_some(()))
    })?;
    neighbour.join().map_err(|_| "sqlx panicked")?
}

/// Nothing is taken from a tool that locks nothing, and that is said before anything is written.
fn a_neighbour_that_locks_nothing_is_refused(engine: &dyn Engine) -> Result<(), String> {
    let (database, dir, runtime) = (engine.fresh()?, folder()?, runtime()?);
    let (url, dir) = (database.url(), dir.path());
    write(dir, "V1__a.sql", "CREATE TABLE a (n INTEGER);\n")?;
    let mut silent = vec!["dbmate", "liquibase"];
    if engine.name() == "mariadb" {
        // Two of sqlx's connections hold its lock at once there: what is told of it is true.
        silent.push("sqlx");
        let mut one = runtime.block_on(Sqlx::connect(&url))?;
        let mut two = runtime.block_on(Sqlx::connect(&url))?;
        runtime.block_on(one.lock())?;
        runtime.block_on(two.lock())?;
    }
    for tool in silent {
        let refused = Program::run(&url, dir, &["up", "--align", tool])?;
        let message = refused.json()?["error"]["message"].to_string();
        ensure!(
            refused.exit == Some(2)
                && message.contains(&format!("the lock of {tool} cannot be acquired")),
            "{refused:?}"
        );
    }
    let ended = Program::run(&url, dir, &["up"])?;
    ensure!(ended.exit == Some(0), "{ended:?}");
    Ok(())
}
