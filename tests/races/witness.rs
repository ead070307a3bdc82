//! Who is inside while a migration runs, written down by the migrations themselves.

use std::path::Path;

use crate::case::{ensure, folder, write};
use crate::engine::Engine;
use crate::program::Program;
use crate::replicas::{replicas, rounds};

/// Each migration enters, stays a while, counts who is inside, and leaves; every statement is committed by itself, so that a second holder
/// would be counted.
fn write_turns(engine: &dyn Engine, dir: &Path, turns: usize) -> Result<(), String> {
    write(
        dir,
        "V1__room.sql",
        "CREATE TABLE inside (n INTEGER NOT NULL);\nCREATE TABLE seen (n INTEGER NOT NULL, inside INTEGER NOT NULL);\n",
    )?;
    let pause = engine.pause();
    for n in 2..turns + 2 {
        let turn = format!(
            "-- lockage: no-transaction\nINSERT INTO inside (n) VALUES ({n});\n{pause};\n\
             INSERT INTO seen (n, inside) SELECT {n}, count(*) FROM inside;\n{pause};\nDELETE FROM inside WHERE n = {n};\n"
        );
        write(dir, &format!("V{n}__turn.sql"), &turn)?;
    }
    Ok(())
}

/// So many processes, each of which takes the lock for one migration.
pub(crate) fn holders_take_turns_one_at_a_time(engine: &dyn Engine) -> Result<(), String> {
    let (dir, turns) = (folder()?, replicas());
    write_turns(engine, dir.path(), turns)?;
    for round in 1..=rounds() {
        let database = engine.fresh()?;
        let urls = database.urls();
        let first = Program::run(&urls[0], dir.path(), &["up", "--to", "1"])?;
        ensure!(first.exit == Some(0), "round {round}: {first:?}");
        let one = ["up", "--steps", "1", "--wait", "240s"];
        let started: Vec<Program> = urls
            .iter()
            .cycle()
            .take(turns)
            .map(|url| Program::start(url, dir.path(), &one))
            .collect::<Result<_, _>>()?;
        for process in started {
            let ended = process.end()?;
            let json = ended.json()?;
            ensure!(
                ended.exit == Some(0)
                    && json["applied"].as_array().is_some_and(|all| all.len() == 1),
                "round {round}: {ended:?}"
            );
        }
        let seen = database.column("SELECT inside FROM seen")?;
        ensure!(
            seen.len() == turns && seen.iter().all(|inside| inside == "1"),
            "round {round}: so many were inside at once: {seen:?}"
        );
        let left = database.column("SELECT n FROM inside")?;
        ensure!(left.is_empty(), "round {round}: {left:?} did not leave");
    }
    Ok(())
}
