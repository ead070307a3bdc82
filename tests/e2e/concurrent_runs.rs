//! Many processes that start together against one database.

use std::path::Path;

use crate::assertions::{
    assert_each_applied_once, assert_exit_codes, assert_lock_free, assert_migrated,
    assert_up_to_date,
};
use crate::case::{Case, ensure, migration_dir, write};
use crate::engine::{Database, Engine, wait_for};
use crate::race::{Race, command, race, run};
use crate::settings::{replica_count, round_count};

pub(crate) const CASES: &[(&str, Case)] = &[
    (
        "replicas_on_empty_database_apply_each_migration_once",
        replicas_on_empty_database_apply_each_migration_once,
    ),
    (
        "replicas_wait_for_long_migration",
        replicas_wait_for_long_migration,
    ),
    (
        "failing_migration_is_reported_by_all_replicas",
        failing_migration_is_reported_by_all_replicas,
    ),
    (
        "killed_replica_is_replaced_by_waiter",
        killed_replica_is_replaced_by_waiter,
    ),
    (
        "concurrent_index_build_completes_while_replicas_wait",
        concurrent_index_build_completes_while_replicas_wait,
    ),
    (
        "transaction_pooler_is_rejected_before_writing",
        transaction_pooler_is_rejected_before_writing,
    ),
];

/// Writes five migrations. Each inserts its number into `marker`, which shows a second application.
fn write_migrations(dir: &Path) -> Result<(), String> {
    write(
        dir,
        "V1__marker.sql",
        "CREATE TABLE marker (n INTEGER NOT NULL);\nINSERT INTO marker (n) VALUES (1);\n",
    )?;
    for n in 2..=5 {
        let text = format!(
            "CREATE TABLE t{n} (n INTEGER NOT NULL);\nINSERT INTO marker (n) VALUES ({n});\n"
        );
        write(dir, &format!("V{n}__t{n}.sql"), &text)?;
    }
    Ok(())
}

fn replicas_on_empty_database_apply_each_migration_once(engine: &dyn Engine) -> Result<(), String> {
    let dir = migration_dir()?;
    write_migrations(dir.path())?;
    for round in 1..=round_count() {
        let database = engine.create_database()?;
        let outputs = race(replica_count(), &database.urls(), dir.path())?;
        assert_migrated(&*database, dir.path(), &outputs, 5)
            .map_err(|error| format!("round {round}: {error}"))?;
        let runs = database.query_column("SELECT DISTINCT run_id FROM lockage_history")?;
        ensure!(
            runs.len() == 1,
            "round {round}: {} runs wrote the history",
            runs.len()
        );
    }
    Ok(())
}

fn replicas_wait_for_long_migration(engine: &dyn Engine) -> Result<(), String> {
    let dir = migration_dir()?;
    write_migrations(dir.path())?;
    let sleep = engine.sleep_20s_sql();
    write(
        dir.path(),
        "V6__long.sql",
        &format!("{sleep};\nINSERT INTO marker (n) VALUES (6);\n"),
    )?;
    let database = engine.create_database()?;
    let outputs = race(replica_count(), &database.urls(), dir.path())?;
    assert_migrated(&*database, dir.path(), &outputs, 6)
}

fn failing_migration_is_reported_by_all_replicas(engine: &dyn Engine) -> Result<(), String> {
    let dir = migration_dir()?;
    write_migrations(dir.path())?;
    write(
        dir.path(),
        "V6__bad.sql",
        "INSERT INTO marker (n) VALUES (6);\nINSERT INTO missing VALUES (1);\n",
    )?;
    let database = engine.create_database()?;
    let outputs = race(replica_count(), &database.urls(), dir.path())?;
    for output in &outputs {
        ensure!(output.exit == Some(1), "{output}");
        ensure!(
            output.json["error"]["line"] == 2,
            "the line is wrong: {output}"
        );
    }
    if engine.transactional_ddl() {
        assert_each_applied_once(&*database, 5)?;
    }
    assert_lock_free(&*database, dir.path())?;
    write(
        dir.path(),
        "V6__bad.sql",
        "INSERT INTO marker (n) VALUES (6);\nCREATE TABLE good (n INTEGER);\n",
    )?;
    let outputs = race(replica_count(), &database.urls(), dir.path())?;
    assert_migrated(&*database, dir.path(), &outputs, 6)
}

fn killed_replica_is_replaced_by_waiter(engine: &dyn Engine) -> Result<(), String> {
    let dir = migration_dir()?;
    write_migrations(dir.path())?;
    let sleep = engine.sleep_20s_sql();
    write(
        dir.path(),
        "V6__long.sql",
        &format!("INSERT INTO marker (n) VALUES (6);\n{sleep};\n"),
    )?;
    let database = engine.create_database()?;
    let mut race = Race::start(replica_count(), &database.urls(), dir.path())?;
    let pid = kill_holder_at_sixth(&mut race, &*database, dir.path())?;
    let outputs = race.finish()?;
    let applied_by =
        database.query_column("SELECT applied_by FROM lockage_history WHERE version = '6'")?;
    let killed_suffix = format!(" {pid}");
    if applied_by.iter().all(|by| !by.ends_with(&killed_suffix)) {
        return assert_migrated(&*database, dir.path(), &outputs, 6);
    }
    // The server did not check its client: it completed the statements of the killed process and committed them.
    assert_exit_codes(&outputs, &[], "a waiter")?;
    for output in &outputs {
        ensure!(output.outcome() == "up_to_date", "{output}");
    }
    assert_up_to_date(&*database, dir.path(), 6)
}

/// Kills the lock's holder during migration 6. Returns its process id.
fn kill_holder_at_sixth(
    race: &mut Race,
    database: &dyn Database,
    dir: &Path,
) -> Result<u32, String> {
    let pid = wait_for("a holder at migration 6", || holder_at_sixth(database, dir))?;
    race.kill(pid)?;
    Ok(pid)
}

/// Returns the process id of the lock's holder if it is at migration 6. The holder is the process that applied migration 5.
fn holder_at_sixth(database: &dyn Database, dir: &Path) -> Result<Option<u32>, String> {
    let status = run(&mut command(&database.url(), dir, &["lock", "status"]))?.json;
    if !status["holder"]["migration"]
        .as_str()
        .is_some_and(|migration| migration.starts_with('6'))
    {
        return Ok(None);
    }
    let applied_by =
        database.query_column("SELECT applied_by FROM lockage_history WHERE version = '5'")?;
    let pid = applied_by
        .first()
        .and_then(|by| by.rsplit(' ').next()?.parse().ok());
    pid.ok_or(format!("no process id in applied_by: {applied_by:?}"))
        .map(Some)
}

fn concurrent_index_build_completes_while_replicas_wait(engine: &dyn Engine) -> Result<(), String> {
    let Some((index, is_valid)) = engine.concurrent_index_sql() else {
        return Err("the engine has no CREATE INDEX CONCURRENTLY".into());
    };
    let dir = migration_dir()?;
    write_migrations(dir.path())?;
    write(
        dir.path(),
        "V6__index.sql",
        &format!("-- lockage: no-transaction\n{index};\nINSERT INTO marker (n) VALUES (6);\n"),
    )?;
    for round in 1..=round_count() {
        let database = engine.create_database()?;
        let outputs = race(replica_count(), &database.urls(), dir.path())?;
        assert_migrated(&*database, dir.path(), &outputs, 6)
            .map_err(|error| format!("round {round}: {error}"))?;
        let valid = database.query_column(is_valid)?;
        ensure!(
            valid == ["true"],
            "round {round}: the index is not valid: {valid:?}"
        );
    }
    Ok(())
}

fn transaction_pooler_is_rejected_before_writing(engine: &dyn Engine) -> Result<(), String> {
    let dir = migration_dir()?;
    write_migrations(dir.path())?;
    for round in 1..=round_count() {
        let database = engine.create_database()?;
        for output in race(replica_count(), &database.urls(), dir.path())? {
            let error = &output.json["error"];
            ensure!(
                output.exit != Some(0)
                    && error["kind"] == "unsupported"
                    && error["hint"].is_string(),
                "round {round}: {output}"
            );
        }
        let tables =
            database.query_column("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")?;
        ensure!(tables.is_empty(), "round {round}: tables {tables:?} exist");
    }
    Ok(())
}
