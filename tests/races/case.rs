//! What is raced, and what must be true afterwards.

use std::path::Path;

use crate::engine::{Database, Engine};
use crate::replicas::{Ended, Race, command, race, replicas, rounds, run};

pub(crate) type Case = fn(&dyn Engine) -> Result<(), String>;

pub(crate) const CASES: &[(&str, Case)] = &[
    ("replicas_on_a_fresh_database", replicas_on_a_fresh_database),
    (
        "replicas_wait_for_a_long_migration",
        replicas_wait_for_a_long_migration,
    ),
    (
        "a_failing_migration_is_reported_by_all_and_leaves_nothing",
        a_failing_migration_is_reported_by_all_and_leaves_nothing,
    ),
    (
        "a_killed_holder_is_followed_by_another",
        a_killed_holder_is_followed_by_another,
    ),
    (
        "an_index_is_built_concurrently_while_others_wait",
        an_index_is_built_concurrently_while_others_wait,
    ),
    (
        "a_pooler_that_keeps_no_session_is_refused",
        a_pooler_that_keeps_no_session_is_refused,
    ),
];

/// Why a case says nothing about an engine.
pub(crate) fn does_not_apply(name: &str, engine: &dyn Engine) -> Option<String> {
    let refuses = name == "a_pooler_that_keeps_no_session_is_refused";
    if engine.refuses() != refuses {
        let reason = if refuses {
            "the lock serves there"
        } else {
            "the lock is refused there"
        };
        return Some(reason.to_owned());
    }
    let concurrently = name == "an_index_is_built_concurrently_while_others_wait";
    (concurrently && engine.concurrent_index().is_none())
        .then(|| "the engine has no CREATE INDEX CONCURRENTLY".to_owned())
}

macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}

pub(crate) use ensure;

/// Five migrations, each of which leaves a mark that would show a second application.
fn write_migrations(dir: &Path) -> Result<(), String> {
    write(
        dir,
        "V1__witness.sql",
        "CREATE TABLE witness (n INTEGER NOT NULL);\nINSERT INTO witness (n) VALUES (1);\n",
    )?;
    for n in 2..=5 {
        let text = format!(
            "CREATE TABLE t{n} (n INTEGER NOT NULL);\nINSERT INTO witness (n) VALUES ({n});\n"
        );
        write(dir, &format!("V{n}__t{n}.sql"), &text)?;
    }
    Ok(())
}

pub(crate) fn write(dir: &Path, name: &str, text: &str) -> Result<(), String> {
    std::fs::write(dir.join(name), text).map_err(|error| format!("{name}: {error}"))
}

pub(crate) fn folder() -> Result<tempfile::TempDir, String> {
    tempfile::tempdir().map_err(|error| error.to_string())
}

/// Exactly one did all the work, the others saw it done, and the database shows each migration once.
fn all_is_well(
    database: &dyn Database,
    dir: &Path,
    ended: &[Ended],
    migrations: usize,
) -> Result<(), String> {
    for one in ended {
        ensure!(
            one.exit == Some(0),
            "exit {:?}: {} {}",
            one.exit,
            one.json,
            one.stderr
        );
    }
    let applied = ended
        .iter()
        .filter(|one| one.outcome() == "applied")
        .count();
    let current = ended
        .iter()
        .filter(|one| one.outcome() == "up_to_date")
        .count();
    ensure!(
        (applied, current) == (1, ended.len() - 1),
        "{applied} applied and {current} were up to date"
    );
    it_stands(database, dir, migrations)
}

/// Each migration is there once, nobody holds the lock, and a further run has nothing to do.
pub(crate) fn it_stands(
    database: &dyn Database,
    dir: &Path,
    migrations: usize,
) -> Result<(), String> {
    each_once(database, migrations)?;
    nobody_holds_the_lock(database, dir)?;
    let again = race(1, &database.urls(), dir)?;
    ensure!(
        again[0].outcome() == "up_to_date" && again[0].json["took_lock"] == false,
        "a second run: {}",
        again[0].json
    );
    Ok(())
}

fn each_once(database: &dyn Database, migrations: usize) -> Result<(), String> {
    let expected: Vec<String> = (1..=migrations).map(|n| n.to_string()).collect();
    let witness = database.column("SELECT n FROM witness ORDER BY n")?;
    ensure!(witness == expected, "the witness saw {witness:?}");
    let mut history =
        database.column("SELECT version FROM lockage_history WHERE state = 'applied'")?;
    history.sort();
    ensure!(history == expected, "the history says {history:?}");
    Ok(())
}

pub(crate) fn nobody_holds_the_lock(database: &dyn Database, dir: &Path) -> Result<(), String> {
    let status = run(&mut command(&database.url(), dir, &["lock", "status"]))?;
    ensure!(
        status.exit == Some(0) && status.json["holder"].is_null(),
        "lock status: {} {}",
        status.json,
        status.stderr
    );
    Ok(())
}

fn replicas_on_a_fresh_database(engine: &dyn Engine) -> Result<(), String> {
    let dir = folder()?;
    write_migrations(dir.path())?;
    for round in 1..=rounds() {
        let database = engine.fresh()?;
        let ended = race(replicas(), &database.urls(), dir.path())?;
        all_is_well(&*database, dir.path(), &ended, 5)
            .map_err(|error| format!("round {round}: {error}"))?;
        let runs = database.column("SELECT DISTINCT run_id FROM lockage_history")?;
        ensure!(
            runs.len() == 1,
            "round {round}: {} runs wrote the history",
            runs.len()
        );
    }
    Ok(())
}

fn replicas_wait_for_a_long_migration(engine: &dyn Engine) -> Result<(), String> {
    let dir = folder()?;
    write_migrations(dir.path())?;
    write(
        dir.path(),
        "V6__long.sql",
        &format!(
            "{};\nINSERT INTO witness (n) VALUES (6);\n",
            engine.twenty_seconds()
        ),
    )?;
    let database = engine.fresh()?;
    let ended = race(replicas(), &database.urls(), dir.path())?;
    all_is_well(&*database, dir.path(), &ended, 6)
}

fn a_failing_migration_is_reported_by_all_and_leaves_nothing(
    engine: &dyn Engine,
) -> Result<(), String> {
    let dir = folder()?;
    write_migrations(dir.path())?;
    write(
        dir.path(),
        "V6__bad.sql",
        "INSERT INTO witness (n) VALUES (6);\nINSERT INTO nowhere VALUES (1);\n",
    )?;
    let database = engine.fresh()?;
    let ended = race(replicas(), &database.urls(), dir.path())?;
    for one in &ended {
        ensure!(
            one.exit == Some(1),
            "exit {:?}: {} {}",
            one.exit,
            one.json,
            one.stderr
        );
        ensure!(one.json["error"]["line"] == 2, "no line: {}", one.json);
    }
    if engine.transactional_ddl() {
        each_once(&*database, 5)?;
    }
    nobody_holds_the_lock(&*database, dir.path())?;
    write(
        dir.path(),
        "V6__bad.sql",
        "INSERT INTO witness (n) VALUES (6);\nCREATE TABLE good (n INTEGER);\n",
    )?;
    let ended = race(replicas(), &database.urls(), dir.path())?;
    all_is_well(&*database, dir.path(), &ended, 6)
}

fn a_killed_holder_is_followed_by_another(engine: &dyn Engine) -> Result<(), String> {
    let dir = folder()?;
    write_migrations(dir.path())?;
    write(
        dir.path(),
        "V6__long.sql",
        &format!(
            "INSERT INTO witness (n) VALUES (6);\n{};\n",
            engine.twenty_seconds()
        ),
    )?;
    let database = engine.fresh()?;
    let mut race = Race::start(replicas(), &database.urls(), dir.path())?;
    let pid = crate::engine::wait_for("a holder at migration 6", || {
        holder_at_the_sixth(&*database, dir.path())
    })?;
    race.kill(pid)?;
    let ended = race.finish()?;
    let by = database.column("SELECT applied_by FROM lockage_history WHERE version = '6'")?;
    if by.iter().all(|by| !by.ends_with(&format!(" {pid}"))) {
        return all_is_well(&*database, dir.path(), &ended, 6);
    }
    // A server that does not look for its client has run to its end what the dead had sent, and committed it.
    for one in &ended {
        let left = one.exit == Some(0) && one.outcome() == "up_to_date";
        ensure!(left, "exit {:?}: {} {}", one.exit, one.json, one.stderr);
    }
    it_stands(&*database, dir.path(), 6)
}

/// The process that holds the lock, once it is at migration 6: the one that the history says applied the fifth.
fn holder_at_the_sixth(database: &dyn Database, dir: &Path) -> Result<Option<u32>, String> {
    let status = run(&mut command(&database.url(), dir, &["lock", "status"]))?.json;
    if !status["holder"]["migration"]
        .as_str()
        .is_some_and(|migration| migration.starts_with('6'))
    {
        return Ok(None);
    }
    let by = database.column("SELECT applied_by FROM lockage_history WHERE version = '5'")?;
    let pid = by
        .first()
        .and_then(|by| by.rsplit(' ').next()?.parse().ok());
    pid.ok_or(format!("applied_by names no process: {by:?}"))
        .map(Some)
}

fn an_index_is_built_concurrently_while_others_wait(engine: &dyn Engine) -> Result<(), String> {
    let Some((index, is_valid)) = engine.concurrent_index() else {
        return Err("not offered".into());
    };
    let dir = folder()?;
    write_migrations(dir.path())?;
    write(
        dir.path(),
        "V6__index.sql",
        &format!("-- lockage: no-transaction\n{index};\nINSERT INTO witness (n) VALUES (6);\n"),
    )?;
    for round in 1..=rounds() {
        let database = engine.fresh()?;
        let ended = race(replicas(), &database.urls(), dir.path())?;
        all_is_well(&*database, dir.path(), &ended, 6)
            .map_err(|error| format!("round {round}: {error}"))?;
        let valid = database.column(is_valid)?;
        ensure!(
            valid == ["true"],
            "round {round}: the index is not valid: {valid:?}"
        );
    }
    Ok(())
}

fn a_pooler_that_keeps_no_session_is_refused(engine: &dyn Engine) -> Result<(), String> {
    let dir = folder()?;
    write_migrations(dir.path())?;
    for round in 1..=rounds() {
        let database = engine.fresh()?;
        for one in race(replicas(), &database.urls(), dir.path())? {
            let error = &one.json["error"];
            ensure!(
                one.exit != Some(0) && error["kind"] == "unsupported" && error["hint"].is_string(),
                "round {round}: exit {:?}: {} {}",
                one.exit,
                one.json,
                one.stderr
            );
        }
        let tables =
            database.column("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")?;
        ensure!(tables.is_empty(), "round {round}: there are {tables:?}");
    }
    Ok(())
}
