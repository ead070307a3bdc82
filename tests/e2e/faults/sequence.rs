//! Migrations that record the order in which they ran.

use std::path::Path;

use crate::case::{ensure, write};
use crate::engine::{Database, Engine};

/// The number of migrations.
pub(super) const MIGRATIONS: usize = 8;

/// Writes migrations that append a row to `sequence_log` at their start and at their end.
///
/// A row's `seq` is one more than the number of rows. Two concurrent holders would use the same `seq` twice or interleave their rows. Every
/// second migration commits its statements separately, so that another holder would see them.
pub(super) fn write_migrations(
    engine: &dyn Engine,
    dir: &Path,
    sleeps: usize,
) -> Result<(), String> {
    write(
        dir,
        "V1__marker.sql",
        "CREATE TABLE marker (n INTEGER NOT NULL);\nCREATE TABLE sequence_log (seq INTEGER NOT NULL, n INTEGER NOT NULL);\n\
         INSERT INTO marker (n) VALUES (1);\n",
    )?;
    let sleep = format!("{};\n", engine.sleep_sql()).repeat(sleeps);
    for n in 2..=MIGRATIONS {
        let directive = match n % 2 {
            0 => "",
            _ => "-- lockage: no-transaction\n",
        };
        let entry = format!(
            "INSERT INTO sequence_log (seq, n) SELECT COUNT(*) + 1, {n} FROM sequence_log;\n"
        );
        let text = format!(
            "{directive}CREATE TABLE t{n} (n INTEGER NOT NULL);\nINSERT INTO t{n} (n) VALUES (1);\n\
             {entry}{sleep}{entry}INSERT INTO marker (n) VALUES ({n});\n"
        );
        write(dir, &format!("V{n}__t{n}.sql"), &text)?;
    }
    Ok(())
}

/// Checks that the migrations ran one after another, without interleaving.
pub(super) fn assert_sequential(database: &dyn Database) -> Result<(), String> {
    let seqs = database.query_column("SELECT seq FROM sequence_log ORDER BY seq")?;
    let migrations = database.query_column("SELECT n FROM sequence_log ORDER BY seq")?;
    let expected = |value: fn(usize) -> usize| -> Vec<String> {
        let count = 2 * (MIGRATIONS - 1);
        (0..count).map(|index| value(index).to_string()).collect()
    };
    ensure!(
        seqs == expected(|index| index + 1) && migrations == expected(|index| index / 2 + 2),
        "migrations {migrations:?} at {seqs:?}"
    );
    Ok(())
}
