use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use lockage_script::{MYSQL, POSTGRES, SQLSERVER, Splitter, Syntax};

use crate::assertions::{assert_positions, statements};

fn positions(script: &str, syntax: &'static Syntax) -> Vec<(u64, u32, u32)> {
    statements(script, syntax)
        .iter()
        .map(|found| (found.offset, found.line, found.column))
        .collect()
}

#[test]
fn position_is_that_of_the_first_token() {
    assert_eq!(
        positions("SELECT 1; SELECT 2", &POSTGRES),
        [(0, 1, 1), (10, 1, 11)]
    );
    assert_eq!(
        positions("\n\n  a;\r\nb\n;c", &POSTGRES),
        [(4, 3, 3), (8, 4, 1), (11, 5, 2)]
    );
    assert_eq!(positions("\u{feff}a; b", &POSTGRES), [(3, 1, 1), (6, 1, 4)]);
    assert_eq!(
        positions("/* é\n */ 'ü'; b", &POSTGRES),
        [(10, 2, 5), (16, 2, 10)]
    );
    assert_eq!(
        positions("-- x\nDELIMITER |\n a|b", &MYSQL),
        [(18, 3, 2), (20, 3, 4)]
    );
    assert_eq!(positions("a\nGO\n\nb", &SQLSERVER), [(0, 1, 1), (6, 4, 1)]);
}

#[test]
fn positions_after_long_comments_are_exact() {
    let script = format!(
        "\u{feff}{}/* {} */ SELECT 'é';\n{} SELECT 2;",
        "-- ünïcode\n".repeat(20_000),
        "x\n".repeat(100_000),
        "\n".repeat(100_000),
    );
    let found = statements(&script, &POSTGRES);
    assert_eq!(found.len(), 2);
    assert_positions(&script, &found);
}

/// Counts the bytes that are read.
struct CountingReader<R> {
    inner: R,
    read: Rc<Cell<u64>>,
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read.set(self.read.get() + read as u64);
        Ok(read)
    }
}

#[test]
fn splitter_reads_at_most_one_buffer_ahead() {
    let line = "INSERT INTO t VALUES ('some; text');\n";
    let script = line.repeat(20_000);
    let read = Rc::new(Cell::new(0));
    let reader = CountingReader {
        inner: script.as_bytes(),
        read: Rc::clone(&read),
    };
    for statement in Splitter::new(reader, &POSTGRES) {
        let statement = statement.expect("a valid script");
        let ahead = read.get() - (statement.offset + statement.text.len() as u64);
        assert!(ahead <= 64 * 1024, "{ahead} bytes ahead");
    }
    assert_eq!(read.get(), script.len() as u64);
}

#[test]
fn statement_larger_than_buffer_is_yielded() {
    let large = format!("INSERT INTO t VALUES ('{}')", "it''s; ".repeat(60_000));
    let script = format!("SELECT 1;{large};SELECT 2;{large}");
    let texts: Vec<_> = statements(&script, &POSTGRES)
        .into_iter()
        .map(|found| found.text)
        .collect();
    assert!(texts == ["SELECT 1", large.as_str(), "SELECT 2", large.as_str()]);
}

#[test]
fn token_across_buffer_end_is_read() {
    for tail in [
        "$tag$;$tag$; b",
        "'';'';''; b",
        "/*;*/ a; b",
        "-- ;\na; b",
        "E'\\';'; b",
        "ééé; b",
    ] {
        let alone = statements(tail, &POSTGRES).len();
        for length in 64 * 1024 - 16..64 * 1024 {
            let script = format!("{};{tail}", "x".repeat(length));
            assert_eq!(
                statements(&script, &POSTGRES).len(),
                alone + 1,
                "{tail:?} at {length}"
            );
        }
    }
}

#[test]
fn long_comment_after_go_is_skipped() {
    let script = format!("GO /* {} */\nSELECT 1", "x".repeat(200_000));
    let found = statements(&script, &SQLSERVER);
    assert_eq!((found[0].batch, found[0].line), (1, 2));
}

#[test]
fn statements_without_go_lines_are_batch_zero() {
    let found = statements("a; b; c", &POSTGRES);
    assert!(
        found
            .iter()
            .all(|found| (found.batch, found.repeat) == (0, 1))
    );
}
