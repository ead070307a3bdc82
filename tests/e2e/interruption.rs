//! Runs that are interrupted, by a signal or by the loss of their session.

use std::path::Path;

use serde_json::Value;

use crate::assertions::assert_lock_free;
use crate::case::{Case, ensure, migration_dir, write};
use crate::engine::{Database, Engine, wait_for};
use crate::freezable_proxy::FreezableProxy;
use crate::process::{Process, ProcessOutput};

pub(crate) const CASES: &[(&str, Case)] = &[
    (
        "signal_cancels_statement_and_reports_applied_migrations",
        signal_cancels_statement_and_reports_applied_migrations,
    ),
    (
        "signal_ends_wait_without_acquiring_lock",
        signal_ends_wait_without_acquiring_lock,
    ),
    (
        "second_signal_exits_immediately",
        second_signal_exits_immediately,
    ),
    (
        "lock_break_terminates_holding_run",
        lock_break_terminates_holding_run,
    ),
    (
        "lock_break_without_privilege_prints_admin_statement",
        lock_break_without_privilege_prints_admin_statement,
    ),
];

/// Writes a short migration and one that does not end.
fn write_migrations(engine: &dyn Engine, dir: &Path) -> Result<(), String> {
    write(dir, "V1__quick.sql", "CREATE TABLE quick (n INTEGER);\n")?;
    let sleep = engine.sleep_forever_sql();
    write(dir, "V2__slow.sql", &format!("{sleep};\n"))
}

/// Starts a run and waits until it executes the statement that does not end.
pub(crate) fn start_holder(
    engine: &dyn Engine,
    database: &dyn Database,
    url: &str,
    dir: &Path,
    arguments: &[&str],
) -> Result<Process, String> {
    write_migrations(engine, dir)?;
    let arguments: Vec<&str> = ["up"].iter().chain(arguments).copied().collect();
    let mut holder = Process::start(url, dir, &arguments)?;
    holder.wait_for_line("applying 2 slow")?;
    if let Some(running_sleeps) = engine.running_sleeps_sql() {
        wait_for("the statement that does not end", || {
            Ok((database.query_column(running_sleeps)? == ["1"]).then_some(()))
        })?;
    }
    // A row lock does not report the holder's statement.
    if engine.has_server() && !engine.uses_row_lock() {
        wait_for("the statement in the status of the lock", || {
            let status = lock_status(database, dir)?;
            let statement = status["holder"]["statement"].as_str().unwrap_or_default();
            Ok(statement.to_lowercase().contains("sleep").then_some(()))
        })?;
    }
    Ok(holder)
}

fn lock_status(database: &dyn Database, dir: &Path) -> Result<Value, String> {
    let output = Process::run(&database.url(), dir, &["lock", "status"])?;
    ensure!(output.exit == Some(0), "lock status: {output:?}");
    output.json()
}

fn signal_cancels_statement_and_reports_applied_migrations(
    engine: &dyn Engine,
) -> Result<(), String> {
    for (signal, exit) in [("TERM", 143), ("INT", 130)] {
        let (database, dir) = (engine.create_database()?, migration_dir()?);
        let holder = start_holder(engine, &*database, &database.url(), dir.path(), &[])?;
        holder.send_signal(signal)?;
        let output = holder.wait()?;
        ensure!(output.exit == Some(exit), "{signal}: {output:?}");
        let json = output.json()?;
        ensure!(
            json["error"]["kind"] == "interrupted"
                && json["outcome"] == "failed"
                && json["applied"].as_array().is_some_and(|all| all.len() == 1)
                && json["applied"][0]["version"] == "1"
                && json["pending"][0]["version"] == "2",
            "{json}"
        );
        // Neither the lock nor the statement remains on the server.
        assert_lock_free(&*database, dir.path())?;
        if let Some(running_sleeps) = engine.running_sleeps_sql() {
            let running = database.query_column(running_sleeps)?;
            ensure!(running == ["0"], "{running:?} statements still run");
        }
        write(
            dir.path(),
            "V2__slow.sql",
            "CREATE TABLE slow (n INTEGER);\n",
        )?;
        let output = Process::run(&database.url(), dir.path(), &["up", "--no-wait"])?;
        ensure!(output.exit == Some(0), "the next run: {output:?}");
    }
    Ok(())
}

fn signal_ends_wait_without_acquiring_lock(engine: &dyn Engine) -> Result<(), String> {
    let (database, dir) = (engine.create_database()?, migration_dir()?);
    let url = database.url();
    let holder = start_holder(engine, &*database, &url, dir.path(), &[])?;
    for (signal, exit) in [("TERM", 143), ("INT", 130)] {
        let mut waiter = Process::start(&url, dir.path(), &["up", "--wait", "forever"])?;
        waiter.wait_for_line("waiting for the lock 4006, held by ")?;
        waiter.send_signal(signal)?;
        let output = waiter.wait()?;
        ensure!(output.exit == Some(exit), "{signal}: {output:?}");
        let json = output.json()?;
        ensure!(
            json["took_lock"] == false && json["error"]["kind"] == "interrupted",
            "{json}"
        );
    }
    holder.send_signal("TERM")?;
    ensure!(holder.wait()?.exit == Some(143), "the holder");
    assert_lock_free(&*database, dir.path())
}

/// The server no longer answers, so a clean stop takes time. A second signal does not wait for it.
fn second_signal_exits_immediately(engine: &dyn Engine) -> Result<(), String> {
    let (database, dir) = (engine.create_database()?, migration_dir()?);
    let proxy = FreezableProxy::to(&database.url())?;
    let holder = start_holder(engine, &*database, proxy.url(), dir.path(), &[])?;
    proxy.pause();
    holder.send_signal("INT")?;
    holder.send_signal("TERM")?;
    let output = holder.wait()?;
    ensure!(
        matches!(output.exit, Some(130 | 143)) && output.stdout.is_empty(),
        "the process did not exit immediately: {output:?}"
    );
    Ok(())
}

fn lock_break_terminates_holding_run(engine: &dyn Engine) -> Result<(), String> {
    let (database, dir) = (engine.create_database()?, migration_dir()?);
    let (url, dir) = (database.url(), dir.path());
    let output = Process::run(&url, dir, &["lock", "break", "--yes"])?;
    ensure!(
        output.exit == Some(0) && output.json()?["outcome"] == "free",
        "{output:?}"
    );
    let mut holder = start_holder(engine, &*database, &url, dir, &[])?;
    let session = lock_status(&*database, dir)?["holder"]["session"].clone();
    assert_confirmation_required(engine, &url, dir, &mut holder, &session)?;
    let output = Process::run(&url, dir, &["lock", "break", "--yes"])?;
    // The holder of a row lock may have no session that the server can terminate.
    let is_rejected = !engine.has_server() || engine.uses_row_lock() && output.exit == Some(2);
    if is_rejected {
        let message = output.json()?["error"]["message"].to_string();
        ensure!(
            output.exit == Some(2) && message.contains(&holder.id().to_string()),
            "{output:?}"
        );
        ensure!(!holder.has_exited()?, "the holder was terminated");
        return Ok(());
    }
    ensure!(
        output.exit == Some(0)
            && output.json()?["outcome"] == "broken"
            && output.json()?["holder"]["session"] == session,
        "{output:?}"
    );
    assert_session_lost(&holder.wait()?)?;
    assert_lock_free(&*database, dir)
}

/// Checks that `lock break` without `--yes` names the holder and does not terminate it, because the test has no terminal.
fn assert_confirmation_required(
    engine: &dyn Engine,
    url: &str,
    dir: &Path,
    holder: &mut Process,
    session: &Value,
) -> Result<(), String> {
    let output = Process::run(url, dir, &["lock", "break"])?;
    let json = output.json()?;
    let would_end = json["error"]["context"]["would_end"].as_str();
    let id = holder.id().to_string();
    let shown = match engine.uses_row_lock() {
        true => &id,
        false => session.as_str().unwrap_or_default(),
    };
    ensure!(
        output.exit == Some(2) && would_end.is_some_and(|would_end| would_end.contains(shown)),
        "lock break without confirmation: {output:?}"
    );
    ensure!(
        !holder.has_exited()?,
        "the holder was terminated without confirmation"
    );
    Ok(())
}

/// Checks that the run reports a lost session and its applied migration.
fn assert_session_lost(output: &ProcessOutput) -> Result<(), String> {
    let json = output.json()?;
    let kind = json["error"]["kind"].as_str().unwrap_or_default();
    ensure!(
        output.exit == Some(7)
            && matches!(kind, "session_lost" | "lock_lost")
            && json["applied"][0]["version"] == "1",
        "a run whose session was terminated: {output:?}"
    );
    Ok(())
}

fn lock_break_without_privilege_prints_admin_statement(engine: &dyn Engine) -> Result<(), String> {
    let (database, dir) = (engine.create_database()?, migration_dir()?);
    let (url, dir) = (database.url(), dir.path());
    let mut holder = start_holder(engine, &*database, &url, dir, &[])?;
    let session = lock_status(&*database, dir)?["holder"]["session"].clone();
    let session = session.as_str().ok_or("the holder has no session")?;
    let account = engine.create_limited_account(&*database)?;
    let output = Process::run(&account.url, dir, &["lock", "break", "--yes"]);
    account.drop_account(&*database)?;
    let output = output?;
    let json = output.json()?;
    let hint = json["error"]["hint"].as_str().unwrap_or_default();
    let statement = engine.terminate_session_sql(session);
    ensure!(
        output.exit == Some(2) && hint.contains(&statement),
        "the hint does not contain `{statement}`: {output:?}"
    );
    ensure!(!holder.has_exited()?, "the holder was terminated");
    holder.send_signal("TERM")?;
    ensure!(holder.wait()?.exit == Some(143), "the holder");
    Ok(())
}
