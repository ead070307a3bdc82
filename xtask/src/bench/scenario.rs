//! The measured scenarios.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::process::{exit_range, measure, up};
use super::row::BenchRow;

/// How many runs without pending migrations are measured.
const REPEATS: usize = 21;

/// Returns the URL of a new database for a number.
pub(super) type NewDatabase<'a> = Box<dyn Fn(usize) -> String + 'a>;

pub(super) fn sqlite(folder: &Path) -> NewDatabase<'_> {
    Box::new(move |n| format!("sqlite:{}", folder.join(format!("bench{n}.db")).display()))
}

pub(super) fn postgres(admin: &str) -> NewDatabase<'_> {
    let run = std::process::id();
    Box::new(move |n| {
        let authority = admin.find("//").map_or(0, |at| at + 2);
        let end = admin[authority..]
            .find('/')
            .map_or(admin.len(), |at| authority + at);
        format!("{}/lockage_bench_{run}_{n}", &admin[..end])
    })
}

pub(super) fn all(
    program: &Path,
    engine: &str,
    new_database: &NewDatabase<'_>,
    rows: &mut Vec<BenchRow>,
) -> Result<(), String> {
    for (n, count) in [10, 1000].into_iter().enumerate() {
        let dir = migrations(count)?;
        let url = new_database(n);
        let first = measure(&mut up(program, &url, dir.path()))?;
        rows.push(BenchRow {
            name: format!("{engine}: applying {count} small migrations"),
            value: ms(first.wall),
            target: "",
        });
        let mut walls = (0..REPEATS)
            .map(|_| Ok(measure(&mut up(program, &url, dir.path()))?.wall))
            .collect::<Result<Vec<_>, String>>()?;
        walls.sort();
        rows.push(BenchRow {
            name: format!("{engine}: nothing pending, {count} migrations, median of {REPEATS}"),
            value: ms(walls[REPEATS / 2]),
            target: "",
        });
    }
    let dir = migrations(10)?;
    rows.push(BenchRow {
        name: format!("{engine}: 64 processes, from the first exit to the last"),
        value: ms(exit_range(64, up(program, &new_database(2), dir.path()))?),
        target: "at most 500 ms",
    });
    Ok(())
}

pub(super) fn memory(
    program: &Path,
    new_database: &NewDatabase<'_>,
    rows: &mut Vec<BenchRow>,
) -> Result<(), String> {
    let many = migrations(10_000)?;
    let measurement = measure(&mut up(program, &new_database(10), many.path()))?;
    rows.push(memory_measurement(
        "memory with 10,000 migrations",
        measurement.peak_kib,
    ));
    let long = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = std::fs::File::create(long.path().join("V1__long.sql"))
        .map_err(|error| error.to_string())?;
    let mut file = std::io::BufWriter::new(file);
    let row = format!("INSERT INTO long VALUES ('{}');\n", "x".repeat(990));
    file.write_all(b"CREATE TABLE long (t TEXT);\n")
        .map_err(|error| error.to_string())?;
    for _ in 0..100 * 1024 * 1024 / row.len() {
        file.write_all(row.as_bytes())
            .map_err(|error| error.to_string())?;
    }
    drop(file);
    let measurement = measure(&mut up(program, &new_database(11), long.path()))?;
    rows.push(memory_measurement(
        "memory with one script of 100 MiB",
        measurement.peak_kib,
    ));
    Ok(())
}

fn memory_measurement(name: &str, peak_kib: u64) -> BenchRow {
    BenchRow {
        name: name.into(),
        value: format!("{:.1} MiB", peak_kib as f64 / 1024.0),
        target: "below 64 MiB",
    }
}

/// Creates a folder with `count` small migrations.
fn migrations(count: usize) -> Result<tempfile::TempDir, String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    for n in 1..=count {
        let text = format!("CREATE TABLE t{n} (id INTEGER PRIMARY KEY);\n");
        std::fs::write(dir.path().join(format!("V{n}__t{n}.sql")), text)
            .map_err(|error| error.to_string())?;
    }
    Ok(dir)
}

fn ms(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}
