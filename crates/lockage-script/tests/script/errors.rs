use std::io::{self, Read};

use lockage_script::{
    Construct, MYSQL, POSTGRES, SQLITE, SQLSERVER, SplitErrorKind, Splitter, Syntax,
};

use crate::expect::{error, pieces};

#[test]
fn what_is_not_closed_is_named_with_where_it_opens() {
    let cases: &[(&'static Syntax, &str, &str)] = &[
        (
            &POSTGRES,
            "SELECT 1;\n  SELECT 'a;\n\n",
            "unterminated string literal, opened at line 2, column 10",
        ),
        (
            &POSTGRES,
            "SELECT E'a\\'",
            "unterminated string literal, opened at line 1, column 8",
        ),
        (
            &POSTGRES,
            "SELECT E'a\\",
            "unterminated string literal, opened at line 1, column 8",
        ),
        (
            &POSTGRES,
            "SELECT 'é' é $a$ $A$",
            "unterminated dollar-quoted string, opened at line 1, column 14",
        ),
        (
            &POSTGRES,
            "SELECT \"a",
            "unterminated quoted identifier, opened at line 1, column 8",
        ),
        (
            &POSTGRES,
            "a; /* b /* c */",
            "unterminated block comment, opened at line 1, column 4",
        ),
        (
            &POSTGRES,
            "a /* b",
            "unterminated block comment, opened at line 1, column 3",
        ),
        (
            &POSTGRES,
            "SELECT (1, (2); SELECT 3",
            "unterminated parenthesis, opened at line 1, column 8",
        ),
        (
            &POSTGRES,
            "a; CREATE FUNCTION f() BEGIN ATOMIC SELECT 1;",
            "unterminated body: the statement that starts at line 1, column 4 has no closing END",
        ),
        (
            &MYSQL,
            "SELECT \"a\\\"",
            "unterminated string literal, opened at line 1, column 8",
        ),
        (
            &MYSQL,
            "SELECT `a",
            "unterminated quoted identifier, opened at line 1, column 8",
        ),
        (
            &MYSQL,
            "a;\n/*!50001 b",
            "unterminated versioned comment, opened at line 2, column 1",
        ),
        (
            &MYSQL,
            "CREATE PROCEDURE p() BEGIN IF a THEN b; END; c;",
            "unterminated body: the statement that starts at line 1, column 1 has no closing END",
        ),
        (
            &SQLITE,
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1;",
            "unterminated body: the statement that starts at line 1, column 1 has no closing END",
        ),
        (
            &SQLITE,
            "SELECT [a",
            "unterminated quoted identifier, opened at line 1, column 8",
        ),
        (
            &SQLSERVER,
            "a\nGO\nSELECT [a]]",
            "unterminated quoted identifier, opened at line 3, column 8",
        ),
        (
            &SQLSERVER,
            "a\nGO /* b",
            "unterminated block comment, opened at line 2, column 4",
        ),
    ];
    for (syntax, script, message) in cases {
        let found = error(script.as_bytes(), syntax);
        assert_eq!(found.to_string(), *message, "in {script:?}");
        let by_piece = pieces(script.as_bytes(), syntax).1.expect("the same error");
        assert_eq!(by_piece.to_string(), *message, "in {script:?}");
    }
}

#[test]
fn a_comment_larger_than_the_buffer_is_still_placed() {
    let script = format!("\n /* {}", "x\n".repeat(200_000));
    let found = error(script.as_bytes(), &POSTGRES);
    assert!(matches!(
        found.kind,
        SplitErrorKind::Unterminated(Construct::Comment)
    ));
    assert_eq!((found.offset, found.line, found.column), (2, 2, 2));
}

#[test]
fn go_lines_with_something_else() {
    for (line, shown) in [
        ("GO abc", "abc"),
        ("GO 5 abc", "5 abc"),
        ("GO;", ";"),
        ("GO 2;", "2;"),
        ("go 0", "0"),
        ("GO -1", "-1"),
        ("GO 99999999999", "99999999999"),
        ("GO 5x", "5x"),
        ("GO 1 2", "1 2"),
    ] {
        let script = format!("SELECT 1\n  {line}\nSELECT 2");
        let found = error(script.as_bytes(), &SQLSERVER);
        assert_eq!(
            found.to_string(),
            format!(
                "GO takes a count from 1 and nothing else, found `{shown}` at line 2, column 3"
            ),
        );
        assert_eq!(found.offset, 11);
    }
}

#[test]
fn delimiter_lines_without_a_delimiter() {
    for script in ["DELIMITER", "a;\nDELIMITER  \nb", "DELIMITER ''"] {
        let found = error(script.as_bytes(), &MYSQL).to_string();
        assert!(
            found.starts_with("DELIMITER without a delimiter at line"),
            "{found}"
        );
    }
    let found = error(b"DELIMITER \\\\", &MYSQL).to_string();
    assert_eq!(
        found,
        r"a delimiter cannot hold a backslash, found `\\` at line 1, column 1"
    );
}

#[test]
fn copy_data_is_refused_where_the_copy_stands() {
    let script = "SELECT 1;\nCOPY t FROM STDIN;\n1\tit's\n\\.\n";
    let mut splitter = Splitter::new(script.as_bytes(), &POSTGRES);
    assert!(splitter.next().is_some_and(|first| first.is_ok()));
    let found = splitter.next().expect("the COPY").expect_err("refused");
    assert!(matches!(found.kind, SplitErrorKind::CopyFromStdin));
    assert_eq!((found.line, found.column), (2, 1));
    assert!(splitter.next().is_none(), "nothing behind an error");
}

#[test]
fn commands_of_psql_are_refused_where_a_statement_would_start() {
    for (script, word, place) in [
        ("SELECT 1;\n\\c shop it's\nSELECT 2;", "\\c", (2, 1)),
        (
            "SELECT '\\c';\n-- as pg_dump has it\n  \\restrict x\n",
            "\\restrict",
            (3, 3),
        ),
        ("/* \\c */ SELECT 1;\n\\.", "\\.", (2, 1)),
    ] {
        let mut splitter = Splitter::new(script.as_bytes(), &POSTGRES);
        assert!(splitter.next().is_some_and(|first| first.is_ok()));
        let refused = splitter.next().expect("the command").expect_err("refused");
        assert!(
            matches!(&refused.kind, SplitErrorKind::PsqlCommand { found } if found == word),
            "{refused}"
        );
        assert_eq!((refused.line, refused.column), place, "{script}");
        assert!(splitter.next().is_none(), "nothing behind an error");
    }
    // Behind other words it is the server's business, and so it is on other engines.
    assert!(Splitter::new("SELECT 1 \\gx".as_bytes(), &POSTGRES).all(|found| found.is_ok()));
    assert!(Splitter::new("\\c shop".as_bytes(), &MYSQL).all(|found| found.is_ok()));
}

#[test]
fn bytes_that_are_not_utf8() {
    let found = error(b"SELECT 1;\nSELECT '\xff'", &POSTGRES);
    assert_eq!(
        found.to_string(),
        "invalid UTF-8 at line 2, column 9 (byte 18)"
    );
    let cut = error(
        "SELECT 'é".as_bytes().split_last().expect("bytes").1,
        &POSTGRES,
    );
    assert_eq!(
        cut.to_string(),
        "invalid UTF-8 at line 1, column 9 (byte 8)"
    );
    let utf16 = error(b"\xff\xfeS\0E\0", &SQLSERVER);
    assert_eq!(utf16.to_string(), "the script is UTF-16; save it as UTF-8");
    let other = error(b"\xffabc", &SQLSERVER);
    assert_eq!(
        other.to_string(),
        "invalid UTF-8 at line 1, column 1 (byte 0)"
    );
    // What stands before is handed out first.
    let mut splitter = Splitter::new(&b"SELECT 1; \xff"[..], &POSTGRES);
    assert!(splitter.next().is_some_and(|first| first.is_ok()));
    assert!(splitter.next().is_some_and(|second| second.is_err()));
    assert!(splitter.next().is_none());
}

#[test]
fn a_reader_that_fails() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("pulled out"))
        }
    }
    let reader = b"SELECT 1; SELECT 2".chain(Broken);
    let mut splitter = Splitter::new(reader, &POSTGRES);
    assert!(splitter.next().is_some_and(|first| first.is_ok()));
    let found = splitter.next().expect("an error").expect_err("an error");
    assert_eq!(found.to_string(), "cannot read the script: pulled out");
    assert!(std::error::Error::source(&found).is_some());
    assert!(splitter.next().is_none());
}
