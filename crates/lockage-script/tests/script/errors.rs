use std::io::{self, Read};

use lockage_script::{
    Construct, MYSQL, POSTGRES, SQLITE, SQLSERVER, SplitErrorKind, Splitter, Syntax,
};

use crate::assertions::error;

#[test]
// Long because it is a table of one script for each construct and dialect.
fn unterminated_construct_reports_its_start() {
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
    }
}

#[test]
fn unterminated_comment_larger_than_buffer_reports_its_start() {
    let script = format!("\n /* {}", "x\n".repeat(200_000));
    let found = error(script.as_bytes(), &POSTGRES);
    assert!(matches!(
        found.kind,
        SplitErrorKind::Unterminated(Construct::Comment)
    ));
    assert_eq!((found.offset, found.line, found.column), (2, 2, 2));
}

#[test]
fn go_line_with_invalid_count_fails() {
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
                "invalid GO line at line 2, column 3: expected a count of at least 1 or nothing, found `{shown}`"
            ),
        );
        assert_eq!(found.offset, 11);
    }
}

#[test]
fn unusable_delimiter_fails() {
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
        r"invalid delimiter `\\` at line 1, column 1: it must not contain a backslash"
    );
}

#[test]
fn copy_from_stdin_fails_at_its_position() {
    let script = "SELECT 1;\nCOPY t FROM STDIN;\n1\tit's\n\\.\n";
    let mut splitter = Splitter::new(script.as_bytes(), &POSTGRES);
    assert!(splitter.next().is_some_and(|first| first.is_ok()));
    let found = splitter.next().expect("the COPY").expect_err("an error");
    assert!(matches!(found.kind, SplitErrorKind::CopyFromStdin));
    assert_eq!((found.line, found.column), (2, 1));
    assert!(splitter.next().is_none(), "nothing after an error");
}

#[test]
fn psql_command_at_statement_start_fails() {
    for (script, word, position) in [
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
        let error = splitter.next().expect("the command").expect_err("an error");
        assert!(
            matches!(&error.kind, SplitErrorKind::PsqlCommand { found } if found == word),
            "{error}"
        );
        assert_eq!((error.line, error.column), position, "{script}");
        assert!(splitter.next().is_none(), "nothing after an error");
    }
    // After other words, and on other engines, the server decides.
    assert!(Splitter::new("SELECT 1 \\gx".as_bytes(), &POSTGRES).all(|found| found.is_ok()));
    assert!(Splitter::new("\\c shop".as_bytes(), &MYSQL).all(|found| found.is_ok()));
}

#[test]
fn invalid_utf8_fails_at_its_position() {
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
    // The statements before it are yielded first.
    let mut splitter = Splitter::new(&b"SELECT 1; \xff"[..], &POSTGRES);
    assert!(splitter.next().is_some_and(|first| first.is_ok()));
    assert!(splitter.next().is_some_and(|second| second.is_err()));
    assert!(splitter.next().is_none());
}

#[test]
fn read_error_is_reported_with_source() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("disconnected"))
        }
    }
    let reader = b"SELECT 1; SELECT 2".chain(Broken);
    let mut splitter = Splitter::new(reader, &POSTGRES);
    assert!(splitter.next().is_some_and(|first| first.is_ok()));
    let found = splitter.next().expect("an error").expect_err("an error");
    assert_eq!(found.to_string(), "cannot read the script: disconnected");
    assert!(std::error::Error::source(&found).is_some());
    assert!(splitter.next().is_none());
}
