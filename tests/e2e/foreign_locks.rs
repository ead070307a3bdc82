//! Locks of other migration tools: sqlx itself holds its lock while a run waits, and the reverse.

use sqlx_core::connection::Connection;
use sqlx_core::migrate::Migrate;
use sqlx_mysql::MySqlConnection;
use sqlx_postgres::PgConnection;
use tokio::runtime::Runtime;

use crate::case::{Case, ensure, migration_dir, write};
use crate::engine::{Engine, wait_for};
use crate::interruption::start_holder;
use crate::process::Process;

pub(crate) const CASES: &[(&str, Case)] = &[
    ("run_waits_for_sqlx", run_waits_for_sqlx),
    ("sqlx_waits_for_run", sqlx_waits_for_run),
    (
        "foreign_tool_without_lock_is_rejected",
        foreign_tool_without_lock_is_rejected,
    ),
];

/// A connection of sqlx.
enum Sqlx {
    Postgres(PgConnection),
    Mysql(MySqlConnection),
}

impl Sqlx {
    async fn connect(url: &str) -> Result<Self, String> {
        Ok(if url.starts_with("postgres") {
            Self::Postgres(PgConnection::connect(url).await.map_err(to_text)?)
        } else {
            let url = url.replacen("mariadb://", "mysql://", 1);
            Self::Mysql(MySqlConnection::connect(&url).await.map_err(to_text)?)
        })
    }

    async fn lock(&mut self) -> Result<(), String> {
        match self {
            Self::Postgres(connection) => connection.lock().await.map_err(to_text),
            Self::Mysql(connection) => connection.lock().await.map_err(to_text),
        }
    }

    async fn unlock(&mut self) -> Result<(), String> {
        match self {
            Self::Postgres(connection) => connection.unlock().await.map_err(to_text),
            Self::Mysql(connection) => connection.unlock().await.map_err(to_text),
        }
    }

    async fn create_sqlx_table(&mut self) -> Result<(), String> {
        let table = "_sqlx_migrations";
        match self {
            Self::Postgres(connection) => connection.ensure_migrations_table(table).await,
            Self::Mysql(connection) => connection.ensure_migrations_table(table).await,
        }
        .map_err(to_text)
    }
}

fn to_text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn runtime() -> Result<Runtime, String> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(to_text)
}

fn run_waits_for_sqlx(engine: &dyn Engine) -> Result<(), String> {
    let (database, dir, runtime) = (engine.create_database()?, migration_dir()?, runtime()?);
    let (url, dir) = (database.url(), dir.path());
    write(dir, "V1__a.sql", "CREATE TABLE a (n INTEGER);\n")?;
    let mut sqlx = runtime.block_on(Sqlx::connect(&url))?;
    runtime.block_on(sqlx.create_sqlx_table())?;
    runtime.block_on(sqlx.lock())?;
    // The status shows sqlx because its table exists, without `--align`.
    let status = Process::run(&url, dir, &["lock", "status"])?.json()?;
    let foreign_lock = &status["neighbours"][0];
    ensure!(
        foreign_lock["tool"] == "sqlx"
            && foreign_lock["taken"] == false
            && foreign_lock["holder"]["session"].is_string()
            && status["holder"].is_null(),
        "{status}"
    );
    for align in ["sqlx", "auto"] {
        let output = Process::run(&url, dir, &["up", "--no-wait", "--align", align])?;
        let message = output.json()?["error"]["message"].to_string();
        ensure!(
            output.exit == Some(5) && message.contains(" of sqlx was not obtained"),
            "{align}: {output:?}"
        );
    }
    let arguments = ["up", "--wait", "forever", "--align", "sqlx"];
    let mut run = Process::start(&url, dir, &arguments)?;
    let waiting = run.wait_for_line(" of sqlx, held by ")?;
    ensure!(waiting.starts_with("waiting for the lock "), "{waiting}");
    let history = "SELECT version FROM lockage_history";
    ensure!(
        database.query_column(history).is_err(),
        "the run wrote while sqlx held its lock"
    );
    runtime.block_on(sqlx.unlock())?;
    let output = run.wait()?;
    ensure!(
        output.exit == Some(0) && output.json()?["outcome"] == "applied",
        "{output:?}"
    );
    ensure!(
        database.query_column(history)? == ["1"],
        "the run wrote no history"
    );
    // The run has released the lock of sqlx.
    runtime.block_on(sqlx.lock())?;
    runtime.block_on(sqlx.unlock())
}

fn sqlx_waits_for_run(engine: &dyn Engine) -> Result<(), String> {
    let (database, dir) = (engine.create_database()?, migration_dir()?);
    let url = database.url();
    let waiters = engine
        .lock_waiters_sql()
        .ok_or("sqlx takes no lock on this engine")?;
    let run = start_holder(engine, &*database, &url, dir.path(), &["--align", "sqlx"])?;
    let sqlx = std::thread::spawn(move || {
        runtime()?.block_on(async {
            let mut sqlx = Sqlx::connect(&url).await?;
            sqlx.lock().await?;
            sqlx.unlock().await
        })
    });
    wait_for("sqlx to wait inside the server", || {
        ensure!(
            !sqlx.is_finished(),
            "sqlx acquired its lock while the run held it"
        );
        Ok((database.query_column(waiters)? == ["1"]).then_some(()))
    })?;
    run.send_signal("TERM")?;
    let output = run.wait()?;
    ensure!(output.exit == Some(143), "{output:?}");
    wait_for("sqlx to acquire its lock", || {
        Ok(sqlx.is_finished().then_some(()))
    })?;
    sqlx.join().map_err(|_| "sqlx panicked")?
}

/// `--align` with a tool that takes no lock fails before anything is written.
fn foreign_tool_without_lock_is_rejected(engine: &dyn Engine) -> Result<(), String> {
    let (database, dir, runtime) = (engine.create_database()?, migration_dir()?, runtime()?);
    let (url, dir) = (database.url(), dir.path());
    write(dir, "V1__a.sql", "CREATE TABLE a (n INTEGER);\n")?;
    let mut tools = vec!["dbmate", "liquibase"];
    if engine.name() == "mariadb" {
        // Two connections of sqlx hold its lock at the same time on MariaDB, so it excludes no run.
        tools.push("sqlx");
        let mut first = runtime.block_on(Sqlx::connect(&url))?;
        let mut second = runtime.block_on(Sqlx::connect(&url))?;
        runtime.block_on(first.lock())?;
        runtime.block_on(second.lock())?;
    }
    for tool in tools {
        let output = Process::run(&url, dir, &["up", "--align", tool])?;
        let message = output.json()?["error"]["message"].to_string();
        ensure!(
            output.exit == Some(2)
                && message.contains(&format!("the lock of {tool} cannot be acquired")),
            "{output:?}"
        );
    }
    let output = Process::run(&url, dir, &["up"])?;
    ensure!(output.exit == Some(0), "{output:?}");
    Ok(())
}
