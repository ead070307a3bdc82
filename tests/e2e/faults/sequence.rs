//! Migrations that record the order in which they ran.

use std::path::Path;

use crate::case::{ensure, write};
use crate::engine::{Database, Engine};

/// The number of migrations.
pub(super) const MIGRATIONS: usize = 8;

/// How the statements of a migration commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// All together, on an engine with transactional DDL.
    Transactional,
    /// Each by itself.
    Autocommit,
    /// Those of a transaction of the script together.
    OwnTransaction,
    /// Each by itself, and the first builds an index concurrently.
    ConcurrentIndex,
}

/// Writes migrations that append a row to `sequence_log` at their start and at their end.
///
/// A row's `seq` is one more than the number of rows. Two concurrent holders would use the same `seq` twice or interleave their rows. Every
/// second migration commits its statements separately, so that another holder would see them.
pub(super) fn write_migrations(
    engine: &dyn Engine,
    dir: &Path,
    sleeps: usize,
) -> Result<(), String> {
    write_tables(dir)?;
    for n in 2..=MIGRATIONS {
        let kind = match n % 2 {
            0 => Kind::Transactional,
            _ => Kind::Autocommit,
        };
        write_migration(engine, dir, n, kind, sleeps)?;
    }
    Ok(())
}

/// Writes the first migration, which creates the tables of the others.
pub(super) fn write_tables(dir: &Path) -> Result<(), String> {
    write(
        dir,
        "V1__marker.sql",
        "CREATE TABLE marker (n INTEGER NOT NULL);\nCREATE TABLE sequence_log (seq INTEGER NOT NULL, n INTEGER NOT NULL);\n\
         INSERT INTO marker (n) VALUES (1);\n",
    )
}

/// Writes one migration after the first, with short pauses between the two rows of `sequence_log`.
pub(super) fn write_migration(
    engine: &dyn Engine,
    dir: &Path,
    n: usize,
    kind: Kind,
    sleeps: usize,
) -> Result<(), String> {
    let sleep = format!("{};\n", engine.sleep_sql()).repeat(sleeps);
    let entry =
        format!("INSERT INTO sequence_log (seq, n) SELECT COUNT(*) + 1, {n} FROM sequence_log;\n");
    let create = format!("CREATE TABLE t{n} (n INTEGER NOT NULL);\n");
    let inserts = format!(
        "INSERT INTO t{n} (n) VALUES (1);\n{entry}{sleep}{entry}INSERT INTO marker (n) VALUES ({n});\n"
    );
    let no_transaction = "-- lockage: no-transaction\n";
    let text = match kind {
        Kind::Transactional => format!("{create}{inserts}"),
        Kind::Autocommit => format!("{no_transaction}{create}{inserts}"),
        Kind::OwnTransaction => format!("{no_transaction}{create}BEGIN;\n{inserts}COMMIT;\n"),
        Kind::ConcurrentIndex => format!(
            "{no_transaction}CREATE INDEX CONCURRENTLY marker_{n} ON marker (n);\n{create}{inserts}"
        ),
    };
    write(dir, &format!("V{n}__t{n}.sql"), &text)
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
