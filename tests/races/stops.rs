//! Runs that somebody stops: signals, and the end of their session.

use std::path::Path;

use serde_json::Value;

use crate::case::{Case, ensure, folder, nobody_holds_the_lock, write};
use crate::engine::{Database, Engine, wait_for};
use crate::program::{Ended, Program};
use crate::way::Way;

pub(crate) const CASES: &[(&str, Case)] = &[
    (
        "a_signal_stops_a_statement_and_the_run_says_what_is_applied",
        a_signal_stops_a_statement_and_the_run_says_what_is_applied,
    ),
    (
        "a_signal_ends_a_wait_and_the_lock_is_not_taken_late",
        a_signal_ends_a_wait_and_the_lock_is_not_taken_late,
    ),
    (
        "a_second_signal_ends_the_process_at_once",
        a_second_signal_ends_the_process_at_once,
    ),
    (
        "a_holder_is_ended_by_lock_break_and_says_so",
        a_holder_is_ended_by_lock_break_and_says_so,
    ),
    (
        "without_the_right_lock_break_tells_what_an_administrator_can_do",
        without_the_right_lock_break_tells_what_an_administrator_can_do,
    ),
];

/// A migration that is quick and one that does not end.
fn migrations(engine: &dyn Engine, dir: &Path) -> Result<(), String> {
    write(dir, "V1__quick.sql", "CREATE TABLE quick (n INTEGER);\n")?;
    write(dir, "V2__slow.sql", &format!("{};\n", engine.forever()))
}

/// A run that is in the middle of the statement that does not end.
pub(crate) fn holder(
    engine: &dyn Engine,
    database: &dyn Database,
    url: &str,
    dir: &Path,
    arguments: &[&str],
) -> Result<Program, String> {
    migrations(engine, dir)?;
    let arguments: Vec<&str> = ["up"].iter().chain(arguments).copied().collect();
    let mut holder = Program::start(url, dir, &arguments)?;
    holder.hear("applying 2 slow")?;
    if let Some(running) = engine.sleepers() {
        wait_for("the statement that does not end", || {
            Ok((database.column(running)? == ["1"]).then_some(()))
        })?;
    }
    // Who holds a row tells no statement.
    if engine.has_server() && !engine.locks_by_row() {
        wait_for("the statement in the status of the lock", || {
            let status = lock_status(database, dir)?;
            let statement = status["holder"]["statement"].as_str().unwrap_or_default();
            Ok(statement.to_lowercase().contains("sleep").then_some(()))
        })?;
    }
    Ok(holder)
}

fn lock_status(database: &dyn Database, dir: &Path) -> Result<Value, String> {
    let ended = Program::run(&database.url(), dir, &["lock", "status"])?;
    ensure!(ended.exit == Some(0), "lock status: {ended:?}");
    ended.json()
}

fn a_signal_stops_a_statement_and_the_run_says_what_is_applied(
    engine: &dyn Engine,
) -> Result<(), String> {
    for (signal, exit) in [("TERM", 143), ("INT", 130)] {
        let (database, dir) = (engine.fresh()?, folder()?);
        let holder = holder(engine, &*database, &database.url(), dir.path(), &[])?;
        holder.signal(signal)?;
        let ended = holder.end()?;
        ensure!(ended.exit == Some(exit), "{signal}: {ended:?}");
        let json = ended.json()?;
        ensure!(
            json["error"]["kind"] == "interrupted"
                && json["outcome"] == "failed"
                && json["applied"].as_array().is_some_and(|all| all.len() == 1)
                && json["applied"][0]["version"] == "1"
                && json["pending"][0]["version"] == "2",
            "{json}"
        );
        // Neither the lock nor the statement is left on the server.
        nobody_holds_the_lock(&*database, dir.path())?;
        if let Some(running) = engine.sleepers() {
            let left = database.column(running)?;
            ensure!(left == ["0"], "{left:?} statements still run");
        }
        write(
            dir.path(),
            "V2__slow.sql",
            "CREATE TABLE slow (n INTEGER);\n",
        )?;
        let ended = Program::run(&database.url(), dir.path(), &["up", "--no-wait"])?;
        ensure!(ended.exit == Some(0), "the next run: {ended:?}");
    }
    Ok(())
}

fn a_signal_ends_a_wait_and_the_lock_is_not_taken_late(engine: &dyn Engine) -> Result<(), String> {
    let (database, dir) = (engine.fresh()?, folder()?);
    let url = database.url();
    let holder = holder(engine, &*database, &url, dir.path(), &[])?;
    for (signal, exit) in [("TERM", 143), ("INT", 130)] {
        let mut waiter = Program::start(&url, dir.path(), &["up", "--wait", "forever"])?;
        waiter.hear("waiting for the lock 4006, held by ")?;
        waiter.signal(signal)?;
        let ended = waiter.end()?;
        ensure!(ended.exit == Some(exit), "{signal}: {ended:?}");
        let json = ended.json()?;
        ensure!(
            json["took_lock"] == false && json["error"]["kind"] == "interrupted",
            "{json}"
        );
    }
    holder.signal("TERM")?;
    ensure!(holder.end()?.exit == Some(143), "the holder");
    nobody_holds_the_lock(&*database, dir.path())
}

/// The server does not answer any more, so a clean stop would take its time; whoever asks twice does not wait for that.
fn a_second_signal_ends_the_process_at_once(engine: &dyn Engine) -> Result<(), String> {
    let (database, dir) = (engine.fresh()?, folder()?);
    let way = Way::to(&database.url())?;
    let holder = holder(engine, &*database, way.url(), dir.path(), &[])?;
    way.freeze();
    holder.signal("INT")?;
    holder.signal("TERM")?;
    let ended = holder.end()?;
    ensure!(
        matches!(ended.exit, Some(130 | 143)) && ended.out.is_empty(),
        "it stopped in another way: {ended:?}"
    );
    Ok(())
}

fn a_holder_is_ended_by_lock_break_and_says_so(engine: &dyn Engine) -> Result<(), String> {
    let (database, dir) = (engine.fresh()?, folder()?);
    let (url, dir) = (database.url(), dir.path());
    let free = Program::run(&url, dir, &["lock", "break", "--yes"])?;
    ensure!(
        free.exit == Some(0) && free.json()?["outcome"] == "free",
        "{free:?}"
    );
    let mut holder = holder(engine, &*database, &url, dir, &[])?;
    let session = lock_status(&*database, dir)?["holder"]["session"].clone();
    let asked = Program::run(&url, dir, &["lock", "break"])?;
    let told = asked.json()?["error"]["context"]["would_end"].clone();
    let id = holder.id().to_string();
    let shown = match engine.locks_by_row() {
        true => &id,
        false => session.as_str().unwrap_or_default(),
    };
    ensure!(
        asked.exit == Some(2) && told.as_str().is_some_and(|told| told.contains(shown)),
        "nobody was there to ask: {asked:?}"
    );
    ensure!(!holder.has_ended()?, "it was ended unasked");
    let broken = Program::run(&url, dir, &["lock", "break", "--yes"])?;
    // Whoever holds a row may have no session that the server could end.
    let is_refused = !engine.has_server() || engine.locks_by_row() && broken.exit == Some(2);
    if is_refused {
        let message = broken.json()?["error"]["message"].to_string();
        ensure!(
            broken.exit == Some(2) && message.contains(&id),
            "{broken:?}"
        );
        ensure!(!holder.has_ended()?, "it was ended all the same");
        return Ok(());
    }
    ensure!(
        broken.exit == Some(0)
            && broken.json()?["outcome"] == "broken"
            && broken.json()?["holder"]["session"] == session,
        "{broken:?}"
    );
    let ended = holder.end()?;
    lost(&ended)?;
    nobody_holds_the_lock(&*database, dir)
}

/// The run says that its session was lost, and what stands.
fn lost(ended: &Ended) -> Result<(), String> {
    let json = ended.json()?;
    let kind = json["error"]["kind"].as_str().unwrap_or_default();
    ensure!(
        ended.exit == Some(7)
            && matches!(kind, "session_lost" | "lock_lost")
            && json["applied"][0]["version"] == "1",
        "a run whose session was ended: {ended:?}"
    );
    Ok(())
}

fn without_the_right_lock_break_tells_what_an_administrator_can_do(
    engine: &dyn Engine,
) -> Result<(), String> {
    let (database, dir) = (engine.fresh()?, folder()?);
    let (url, dir) = (database.url(), dir.path());
    let mut holder = holder(engine, &*database, &url, dir, &[])?;
    let session = lock_status(&*database, dir)?["holder"]["session"].clone();
    let session = session.as_str().ok_or("no session")?.to_owned();
    let stranger = engine.stranger(&*database)?;
    let refused = Program::run(&stranger.url, dir, &["lock", "break", "--yes"]);
    stranger.forget(&*database)?;
    let refused = refused?;
    let json = refused.json()?;
    let hint = json["error"]["hint"].as_str().unwrap_or_default();
    let statement = engine.ends(&session);
    ensure!(
        refused.exit == Some(2) && hint.contains(&statement),
        "`{statement}` is not told: {refused:?}"
    );
    ensure!(!holder.has_ended()?, "it was ended all the same");
    holder.signal("TERM")?;
    ensure!(holder.end()?.exit == Some(143), "the holder");
    Ok(())
}
