use lockage_script::{POSTGRES, copies_from_stdin};

use crate::assertions::{assert_split, statements};

#[test]
fn statements_end_at_semicolons() {
    assert_split(
        &POSTGRES,
        &[
            ("", &[]),
            (" \n\t", &[]),
            ("\u{feff}", &[]),
            ("-- only a comment", &[]),
            (";;; ;", &[]),
            ("SELECT 1", &["SELECT 1"]),
            ("SELECT 1;", &["SELECT 1"]),
            ("\u{feff}SELECT 1;", &["SELECT 1"]),
            ("SELECT 1;SELECT 2", &["SELECT 1", "SELECT 2"]),
            ("SELECT 1 ;; SELECT 2;\r\n", &["SELECT 1", "SELECT 2"]),
            ("SELECT é; SELECT 'ü'", &["SELECT é", "SELECT 'ü'"]),
            ("SELECT 1\x0b;\x0cSELECT 2", &["SELECT 1", "SELECT 2"]),
            (
                "SELECT a\u{a0}b; SELECT 2",
                &["SELECT a\u{a0}b", "SELECT 2"],
            ),
        ],
    );
}

#[test]
fn comments_are_not_part_of_the_text() {
    assert_split(
        &POSTGRES,
        &[
            ("-- a; b\nSELECT 1 -- c; d\n; -- e", &["SELECT 1"]),
            ("SELECT 1 -- the last line", &["SELECT 1"]),
            (
                "SELECT /* ; */ 1; SELECT 2",
                &["SELECT /* ; */ 1", "SELECT 2"],
            ),
            ("/* a /* b; */ c; */ SELECT 1; /* /**/ */", &["SELECT 1"]),
            ("/* /*/ ; */ ; */ SELECT 1", &["SELECT 1"]),
            ("/*/ ; */ SELECT 1", &["SELECT 1"]),
            ("/***/ SELECT 1; SELECT 2 /**/", &["SELECT 1", "SELECT 2"]),
            ("SELECT '--'; SELECT 2", &["SELECT '--'", "SELECT 2"]),
            ("SELECT 1--'\n;SELECT 2", &["SELECT 1", "SELECT 2"]),
            (
                "SELECT 1 +--'\n2;SELECT 3",
                &["SELECT 1 +--'\n2", "SELECT 3"],
            ),
            ("SELECT 1 -- c\r;SELECT 2", &["SELECT 1", "SELECT 2"]),
            (
                "SELECT 1 - -1; SELECT 4 / 2",
                &["SELECT 1 - -1", "SELECT 4 / 2"],
            ),
            // Not a comment in this dialect.
            ("SELECT 1 # 2; SELECT 3", &["SELECT 1 # 2", "SELECT 3"]),
            ("/*! not code; */ SELECT 1", &["SELECT 1"]),
        ],
    );
}

#[test]
fn literals_keep_semicolons() {
    assert_split(
        &POSTGRES,
        &[
            ("SELECT ';'; SELECT 2", &["SELECT ';'", "SELECT 2"]),
            (
                "SELECT 'it''s;'; SELECT 2",
                &["SELECT 'it''s;'", "SELECT 2"],
            ),
            ("SELECT ''; SELECT ''''", &["SELECT ''", "SELECT ''''"]),
            (r"SELECT '\'; SELECT 2", &[r"SELECT '\'", "SELECT 2"]),
            (r"SELECT E'\';'; SELECT 2", &[r"SELECT E'\';'", "SELECT 2"]),
            (r"SELECT e'\\'; SELECT 2", &[r"SELECT e'\\'", "SELECT 2"]),
            (
                r"SELECT E'a''\';'; SELECT 2",
                &[r"SELECT E'a''\';'", "SELECT 2"],
            ),
            (r"SELECT E'\é;'; SELECT 2", &[r"SELECT E'\é;'", "SELECT 2"]),
            // An identifier that ends in e is no prefix.
            (
                r"SELECT type'\'; SELECT 2",
                &[r"SELECT type'\'", "SELECT 2"],
            ),
            (r"SELECT E '\'; SELECT 2", &[r"SELECT E '\'", "SELECT 2"]),
            (
                r"SELECT U&'\00e9;' UESCAPE '!'; SELECT 2",
                &[r"SELECT U&'\00e9;' UESCAPE '!'", "SELECT 2"],
            ),
            (r"SELECT U&'\'; SELECT 2", &[r"SELECT U&'\'", "SELECT 2"]),
            (
                r"SELECT b'01', x'\', n';'; SELECT 2",
                &[r"SELECT b'01', x'\', n';'", "SELECT 2"],
            ),
            (
                r#"SELECT ";""a", U&"\;"; SELECT "\"; SELECT 3"#,
                &[r#"SELECT ";""a", U&"\;""#, r#"SELECT "\""#, "SELECT 3"],
            ),
            ("SELECT a[1]; SELECT 2", &["SELECT a[1]", "SELECT 2"]),
        ],
    );
}

#[test]
fn escape_string_continues_after_line_break() {
    assert_split(
        &POSTGRES,
        &[
            (
                "SELECT E'a'\n'\\';'; SELECT 2",
                &["SELECT E'a'\n'\\';'", "SELECT 2"],
            ),
            (
                "SELECT E'a' \n '\\';'\n'\\';'; SELECT 2",
                &["SELECT E'a' \n '\\';'\n'\\';'", "SELECT 2"],
            ),
            (
                "SELECT E'a' -- c\n '\\';'; SELECT 2",
                &["SELECT E'a' -- c\n '\\';'", "SELECT 2"],
            ),
            (
                "SELECT E'a' '\\'; SELECT 2",
                &["SELECT E'a' '\\'", "SELECT 2"],
            ),
            (
                "SELECT E'a',\n'\\'; SELECT 2",
                &["SELECT E'a',\n'\\'", "SELECT 2"],
            ),
            (
                "SELECT E'a' /*\n*/ '\\'; SELECT 2",
                &["SELECT E'a' /*\n*/ '\\'", "SELECT 2"],
            ),
            (
                "SELECT E'a';\n'\\'; SELECT 2",
                &["SELECT E'a'", "'\\'", "SELECT 2"],
            ),
            (
                "SELECT 'a'\n'\\'; SELECT 2",
                &["SELECT 'a'\n'\\'", "SELECT 2"],
            ),
            (
                "SELECT E'a' AS \"b\"\n, '\\'; SELECT 2",
                &["SELECT E'a' AS \"b\"\n, '\\'", "SELECT 2"],
            ),
        ],
    );
}

#[test]
fn dollar_quotes_keep_semicolons() {
    assert_split(
        &POSTGRES,
        &[
            ("SELECT $$;$$; SELECT 2", &["SELECT $$;$$", "SELECT 2"]),
            (
                "SELECT $a$;$$;$b$;$a$; SELECT 2",
                &["SELECT $a$;$$;$b$;$a$", "SELECT 2"],
            ),
            (
                "SELECT $a$;$A$;$a$; SELECT 2",
                &["SELECT $a$;$A$;$a$", "SELECT 2"],
            ),
            (
                "SELECT $a1_$;$a1_$; SELECT 2",
                &["SELECT $a1_$;$a1_$", "SELECT 2"],
            ),
            ("SELECT $é$;$é$; SELECT 2", &["SELECT $é$;$é$", "SELECT 2"]),
            (
                "SELECT $a$ $$a$; SELECT 2",
                &["SELECT $a$ $$a$", "SELECT 2"],
            ),
            (
                "SELECT $a$ $b$a$; SELECT 2",
                &["SELECT $a$ $b$a$", "SELECT 2"],
            ),
            (
                "DO $$ BEGIN RAISE 'a;'; END $$; SELECT 2",
                &["DO $$ BEGIN RAISE 'a;'; END $$", "SELECT 2"],
            ),
            // Not the start of a literal.
            (
                "SELECT a$b$c; SELECT d$b$",
                &["SELECT a$b$c", "SELECT d$b$"],
            ),
            ("SELECT $1; SELECT $2", &["SELECT $1", "SELECT $2"]),
            ("SELECT $1a$; SELECT $1a$", &["SELECT $1a$", "SELECT $1a$"]),
            ("SELECT $ ; SELECT $-$", &["SELECT $", "SELECT $-$"]),
            // A number is not an identifier.
            (
                "SELECT 1$a$;$a$; SELECT 2",
                &["SELECT 1$a$;$a$", "SELECT 2"],
            ),
        ],
    );
}

#[test]
fn parentheses_keep_semicolons() {
    assert_split(
        &POSTGRES,
        &[
            (
                "CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT (2);); SELECT 3",
                &[
                    "CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT (2);)",
                    "SELECT 3",
                ],
            ),
            (
                "SELECT ')' (; '('); SELECT 2",
                &["SELECT ')' (; '(')", "SELECT 2"],
            ),
            ("SELECT 1); SELECT (2)", &["SELECT 1)", "SELECT (2)"]),
        ],
    );
}

#[test]
// Long because it is a table of scripts.
fn begin_atomic_body_is_one_statement() {
    assert_split(
        &POSTGRES,
        &[
            (
                "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT 3",
                &[
                    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END",
                    "SELECT 3",
                ],
            ),
            (
                "create or replace procedure p() begin /* c */ atomic INSERT INTO t VALUES (1);end; SELECT 3",
                &[
                    "create or replace procedure p() begin /* c */ atomic INSERT INTO t VALUES (1);end",
                    "SELECT 3",
                ],
            ),
            (
                "CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN a THEN CASE b WHEN 1 THEN 2 END END; SELECT 2; END; SELECT 3",
                &[
                    "CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN a THEN CASE b WHEN 1 THEN 2 END END; SELECT 2; END",
                    "SELECT 3",
                ],
            ),
            (
                "CREATE FUNCTION f() BEGIN ATOMIC SELECT (CASE WHEN 'END' = \"END\" THEN 1 END); END; SELECT 3",
                &[
                    "CREATE FUNCTION f() BEGIN ATOMIC SELECT (CASE WHEN 'END' = \"END\" THEN 1 END); END",
                    "SELECT 3",
                ],
            ),
            (
                "CREATE FUNCTION f() BEGIN ATOMIC SELECT t.end, t.case, 1 AS end, 2 AS case FROM t; SELECT 2; END; SELECT 3",
                &[
                    "CREATE FUNCTION f() BEGIN ATOMIC SELECT t.end, t.case, 1 AS end, 2 AS case FROM t; SELECT 2; END",
                    "SELECT 3",
                ],
            ),
            (
                "CREATE FUNCTION f() BEGIN ATOMIC END; SELECT 3",
                &["CREATE FUNCTION f() BEGIN ATOMIC END", "SELECT 3"],
            ),
            // Without ATOMIC, or in other statements, BEGIN opens no body.
            (
                "BEGIN; SELECT 1; END; SELECT 2",
                &["BEGIN", "SELECT 1", "END", "SELECT 2"],
            ),
            (
                "'x' CREATE FUNCTION f() BEGIN ATOMIC a; b",
                &["'x' CREATE FUNCTION f() BEGIN ATOMIC a", "b"],
            ),
            (
                "CREATE TABLE begin (atomic int); SELECT 2",
                &["CREATE TABLE begin (atomic int)", "SELECT 2"],
            ),
            (
                "CREATE VIEW v AS SELECT begin atomic; SELECT 2",
                &["CREATE VIEW v AS SELECT begin atomic", "SELECT 2"],
            ),
            (
                "CREATE FUNCTION begin() RETURNS atomic AS 'x'; SELECT 2",
                &["CREATE FUNCTION begin() RETURNS atomic AS 'x'", "SELECT 2"],
            ),
            (
                "CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN; $$ LANGUAGE plpgsql; SELECT 2",
                &[
                    "CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN; $$ LANGUAGE plpgsql",
                    "SELECT 2",
                ],
            ),
        ],
    );
}

#[test]
fn copy_from_stdin_is_recognised() {
    for text in [
        "COPY t FROM STDIN",
        "copy t (a, b) from stdin with (format csv)",
        "/* c */ COPY t FROM /* d */ STDIN",
    ] {
        assert!(copies_from_stdin(text, &POSTGRES), "{text}");
    }
    for text in [
        "COPY t TO STDOUT",
        "COPY t FROM '/x'",
        "COPY (SELECT 1 FROM stdin_) TO STDOUT",
        "SELECT 'COPY t FROM STDIN'",
        "SELECT copy FROM stdin",
        "COPY t FROM \"STDIN\"",
        "COPY t FROM 'STDIN'",
    ] {
        assert!(!copies_from_stdin(text, &POSTGRES), "{text}");
    }
    assert!(!copies_from_stdin(
        "COPY t FROM STDIN",
        &lockage_script::MYSQL
    ));
}

#[test]
fn copy_from_file_is_accepted() {
    let found = statements("COPY t FROM '/srv/stdin'; SELECT 1", &POSTGRES);
    assert_eq!(found.len(), 2);
}
