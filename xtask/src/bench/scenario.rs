//! What is measured.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use super::Figure;
use super::process::{measure, spread, up};

/// How often a run with nothing to do is measured.
const REPEATS: usize = 21;

/// Makes the URL of a fresh database from a number.
pub(super) type Fresh<'a> = Box<dyn Fn(usize) -> String + 'a>;

pub(super) fn sqlite(folder: &Path) -> Fresh<'_> {
    Box::new(move |n| format!("sqlite:{}", folder.join(format!("bench{n}.db")).display()))
}

pub(super) fn postgres(admin: &str) -> Fresh<'_> {
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
    fresh: &Fresh<'_>,
    figures: &mut Vec<Figure>,
) -> Result<(), String> {
    for (n, count) in [10, 1000].into_iter().enumerate() {
        let dir = migrations(count)?;
        let url = fresh(n);
        let first = measure(&mut up(program, &url, dir.path()))?;
        figures.push(Figure {
            name: format!("{engine}: applying {count} small migrations"),
            value: ms(first.wall),
            aim: "",
        });
        let mut walls = (0..REPEATS)
            .map(|_| Ok(measure(&mut up(program, &url, dir.path()))?.wall))
            .collect::<Result<Vec<_>, String>>()?;
        walls.sort();
        figures.push(Figure {
            name: format!("{engine}: nothing to do, {count} migrations, median of {REPEATS}"),
            value: ms(walls[REPEATS / 2]),
            aim: "",
        });
    }
    let dir = migrations(10)?;
    figures.push(Figure {
        name: format!("{engine}: 64 processes, from the first that is ready to the last"),
        value: ms(spread(64, up(program, &fresh(2), dir.path()))?),
        aim: "at most 500 ms",
    });
    Ok(())
}

pub(super) fn memory(
    program: &Path,
    fresh: &Fresh<'_>,
    figures: &mut Vec<Figure>,
) -> Result<(), String> {
    let many = migrations(10_000)?;
    let taken = measure(&mut up(program, &fresh(10), many.path()))?;
    figures.push(memory_figure(
        "memory with 10,000 migrations",
        taken.peak_kib,
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
    let taken = measure(&mut up(program, &fresh(11), long.path()))?;
    figures.push(memory_figure(
        "memory with one script of 100 MiB",
        taken.peak_kib,
    ));
    Ok(())
}

fn memory_figure(name: &str, peak_kib: u64) -> Figure {
    Figure {
        name: name.into(),
        value: format!("{:.1} MiB", peak_kib as f64 / 1024.0),
        aim: "below 64 MiB",
    }
}

/// A folder of so many small migrations.
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
