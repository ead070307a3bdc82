//! Assertions on a migrated database and on the processes that migrated it.

use std::path::Path;

use crate::case::ensure;
use crate::engine::Database;
use crate::race::{ReplicaOutput, command, race, run};

/// Checks that one process applied all migrations and the others found them applied, and that the database is up to date.
pub(crate) fn assert_migrated(
    database: &dyn Database,
    dir: &Path,
    outputs: &[ReplicaOutput],
    migrations: usize,
) -> Result<(), String> {
    assert_exit_codes(outputs, &[], "a replica")?;
    let count = |outcome| {
        outputs
            .iter()
            .filter(|output| output.outcome() == outcome)
            .count()
    };
    let (applied, current) = (count("applied"), count("up_to_date"));
    ensure!(
        (applied, current) == (1, outputs.len() - 1),
        "{applied} processes applied migrations and {current} were up to date"
    );
    assert_up_to_date(database, dir, migrations)
}

/// Checks that each migration was applied once, that the lock is free, and that another run has nothing to do.
pub(crate) fn assert_up_to_date(
    database: &dyn Database,
    dir: &Path,
    migrations: usize,
) -> Result<(), String> {
    assert_each_applied_once(database, migrations)?;
    assert_lock_free(database, dir)?;
    let next = race(1, &database.urls(), dir)?;
    ensure!(
        next[0].outcome() == "up_to_date" && next[0].json["took_lock"] == false,
        "the next run: {}",
        next[0]
    );
    Ok(())
}

/// Checks that the table `marker` and the history hold each migration once.
pub(crate) fn assert_each_applied_once(
    database: &dyn Database,
    migrations: usize,
) -> Result<(), String> {
    let expected: Vec<String> = (1..=migrations).map(|n| n.to_string()).collect();
    let markers = database.query_column("SELECT n FROM marker ORDER BY n")?;
    ensure!(markers == expected, "the markers are {markers:?}");
    let mut history =
        database.query_column("SELECT version FROM lockage_history WHERE state = 'applied'")?;
    history.sort();
    ensure!(history == expected, "the applied versions are {history:?}");
    Ok(())
}

pub(crate) fn assert_lock_free(database: &dyn Database, dir: &Path) -> Result<(), String> {
    let status = run(&mut command(&database.url(), dir, &["lock", "status"]))?;
    ensure!(
        status.exit == Some(0) && status.json["holder"].is_null(),
        "lock status: {status}"
    );
    Ok(())
}

/// Checks that each process succeeded or exited with one of the `allowed` codes. `None` means that a signal killed it.
pub(crate) fn assert_exit_codes(
    outputs: &[ReplicaOutput],
    allowed: &[i32],
    context: &str,
) -> Result<(), String> {
    for output in outputs {
        let is_allowed = output
            .exit
            .is_some_and(|exit| exit == 0 || allowed.contains(&exit));
        ensure!(is_allowed, "{context}: {output}");
    }
    Ok(())
}
