//! Mutual exclusion, measured by migrations that record their own start and end.

use std::path::Path;

use crate::case::{Case, ensure, migration_dir, write};
use crate::engine::Engine;
use crate::process::Process;
use crate::settings::{replica_count, round_count};

pub(crate) const CASES: &[(&str, Case)] = &[(
    "hold_intervals_do_not_overlap",
    hold_intervals_do_not_overlap,
)];

/// Writes migrations that insert a row into `active`, sleep, record the number of active rows, sleep, and delete the row.
///
/// Every statement is committed separately, so the count includes the row of a second holder.
fn write_hold_intervals(engine: &dyn Engine, dir: &Path, count: usize) -> Result<(), String> {
    write(
        dir,
        "V1__tables.sql",
        "CREATE TABLE active (n INTEGER NOT NULL);\nCREATE TABLE observed (n INTEGER NOT NULL, active INTEGER NOT NULL);\n",
    )?;
    let sleep = engine.sleep_sql();
    for n in 2..count + 2 {
        let text = format!(
            "-- lockage: no-transaction\nINSERT INTO active (n) VALUES ({n});\n{sleep};\n\
             INSERT INTO observed (n, active) SELECT {n}, count(*) FROM active;\n{sleep};\nDELETE FROM active WHERE n = {n};\n"
        );
        write(dir, &format!("V{n}__interval.sql"), &text)?;
    }
    Ok(())
}

/// Starts one process per migration. Each takes the lock for a single migration.
fn hold_intervals_do_not_overlap(engine: &dyn Engine) -> Result<(), String> {
    let (dir, count) = (migration_dir()?, replica_count());
    write_hold_intervals(engine, dir.path(), count)?;
    for round in 1..=round_count() {
        let database = engine.create_database()?;
        let urls = database.urls();
        let first = Process::run(&urls[0], dir.path(), &["up", "--to", "1"])?;
        ensure!(first.exit == Some(0), "round {round}: {first:?}");
        let arguments = ["up", "--steps", "1", "--wait", "240s"];
        let processes: Vec<Process> = urls
            .iter()
            .cycle()
            .take(count)
            .map(|url| Process::start(url, dir.path(), &arguments))
            .collect::<Result<_, _>>()?;
        for process in processes {
            let output = process.wait()?;
            let json = output.json()?;
            ensure!(
                output.exit == Some(0)
                    && json["applied"].as_array().is_some_and(|all| all.len() == 1),
                "round {round}: {output:?}"
            );
        }
        let observed = database.query_column("SELECT active FROM observed")?;
        ensure!(
            observed.len() == count && observed.iter().all(|active| active == "1"),
            "round {round}: active holders per migration: {observed:?}"
        );
        let active = database.query_column("SELECT n FROM active")?;
        ensure!(
            active.is_empty(),
            "round {round}: migrations {active:?} did not end"
        );
    }
    Ok(())
}
