//! What holds for every script.

use lockage_script::{
    MYSQL, POSTGRES, SQLITE, SQLSERVER, SplitErrorKind, Splitter, Syntax, leading_words,
    transaction_control,
};
use proptest::prelude::*;
use proptest::sample::select;

use crate::expect::pieces;
use crate::reader::Trickle;

const NASTY: &[&str] = &[
    "'",
    "''",
    "\"",
    "`",
    "[",
    "]",
    "]]",
    "$",
    "$$",
    "$a$",
    "$é$",
    "$1",
    "\\",
    "\\'",
    ";",
    ";;",
    "\n",
    "\r\n",
    "\r",
    " ",
    "--",
    "-- ",
    "--x",
    "#",
    "/*",
    "*/",
    "/*!",
    "/*!50001 ",
    "/*M!",
    "//",
    "(",
    ")",
    "E'",
    "e'\\'",
    "U&'",
    "N'",
    "GO",
    "\nGO\n",
    "\nGO 3\n",
    "\nGO x\n",
    "DELIMITER ;\n",
    "DELIMITER //\n",
    "DELIMITER $$\n",
    "DELIMITER é\n",
    "BEGIN",
    "BEGIN ATOMIC ",
    "BEGIN NOT ATOMIC ",
    "END",
    "END IF",
    "CASE ",
    " WHEN ",
    " THEN ",
    "IF ",
    "IF(",
    "LOOP ",
    "REPEAT ",
    "UNTIL ",
    "WHILE ",
    " DO ",
    "FOR EACH ROW ",
    "CREATE ",
    "OR REPLACE ",
    "FUNCTION f() ",
    "PROCEDURE p() ",
    "TRIGGER ",
    "TEMP ",
    "EVENT ",
    "DEFINER=",
    "a",
    "é",
    "漢",
    "🚢",
    "\u{feff}",
    "\u{a0}",
    "\0",
    "1",
    ".",
    ":",
    "@",
    "AS ",
    "DECLARE ",
    "HANDLER ",
    "COPY t FROM STDIN",
    "EXPLAIN ",
    "lbl:",
    ",",
    "?",
];

fn dialect() -> impl Strategy<Value = &'static Syntax> {
    select(vec![&POSTGRES, &MYSQL, &SQLSERVER, &SQLITE])
}

fn nasty() -> impl Strategy<Value = String> {
    prop::collection::vec(select(NASTY), 0..40).prop_map(|parts| parts.concat())
}

fn any_script() -> impl Strategy<Value = String> {
    prop_oneof![4 => nasty(), 1 => any::<String>()]
}

/// All pieces are the script; after an error they are its start, up to the piece that holds the error.
fn lossless(script: &str, syntax: &'static Syntax) {
    let (joined, error) = pieces(script.as_bytes(), syntax);
    match error {
        None => assert_eq!(joined, script),
        Some(error) => {
            assert!(script.starts_with(&joined));
            assert!(error.offset >= joined.len() as u64);
            assert!(error.offset <= script.len() as u64);
        }
    }
}

/// All statements, or the error and those before.
fn outcome(
    splitter: impl Iterator<
        Item = Result<lockage_script::Statement, lockage_script::SplitError>,
    >,
) -> Vec<String> {
    splitter
        .map(|found| match found {
            Ok(statement) => format!("{statement:?}"),
            Err(error) => format!("{error} at {}", error.offset),
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_are_the_script(script in any_script(), syntax in dialect()) {
        lossless(&script, syntax);
    }

    #[test]
    fn small_reads_change_nothing(script in any_script(), syntax in dialect(), seed in 0..1_000_usize) {
        let at_once = outcome(Splitter::new(script.as_bytes(), syntax));
        let in_small_reads = outcome(Splitter::new(Trickle::new(script.as_bytes(), seed), syntax));
        prop_assert_eq!(at_once, in_small_reads);
    }

    #[test]
    fn statements_stand_where_they_say(script in any_script(), syntax in dialect()) {
        for statement in Splitter::new(script.as_bytes(), syntax).map_while(Result::ok) {
            let start = statement.offset as usize;
            prop_assert!(script[start..].starts_with(&statement.text));
            prop_assert!(!statement.text.is_empty());
            prop_assert!(!statement.text.starts_with([' ', '\n', '\r', '\t']));
            prop_assert!(!statement.text.ends_with([' ', '\n', '\r', '\t']));
            let before = script[..start].strip_prefix('\u{feff}').unwrap_or(&script[..start]);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            prop_assert_eq!((statement.line as usize, statement.column as usize), (line, column));
            prop_assert!(statement.repeat > 0);
        }
    }

    #[test]
    fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), syntax in dialect()) {
        let (joined, error) = pieces(&bytes, syntax);
        prop_assert!(bytes.starts_with(joined.as_bytes()));
        if let Err(invalid) = std::str::from_utf8(&bytes) {
            let error = error.expect("an error for invalid UTF-8");
            let early = !matches!(error.kind, SplitErrorKind::InvalidUtf8 { .. });
            prop_assert!(early || error.offset == invalid.valid_up_to() as u64);
        }
    }

    #[test]
    fn words_never_panic(script in any_script(), syntax in dialect()) {
        let words = leading_words(&script, syntax, 5);
        prop_assert!(words.len() <= 5);
        let _ = transaction_control(&script, syntax);
    }
}

/// Tokens that hold what would end a statement, were they not literals, names or comments.
fn tokens(syntax: &'static Syntax) -> Vec<&'static str> {
    let mut tokens = vec![
        "SELECT",
        "a",
        "é",
        "'a;b'",
        "''",
        "'it''s; --'",
        "'/* ;'",
        "\";\"",
        "\"a\"\"b;\"",
        "/* ; ' \" ` $$ */",
        "-- ; ' \" $a$ /*\n",
        "1.5",
        ",",
        "+",
        "'\nGO\n'",
        "/*\nGO\n*/",
        "CASE WHEN 1 THEN 2 END",
        "begin",
        "IF(1)",
        "'$$'",
        "漢字",
    ];
    let own: &[&str] = match syntax.name {
        "PostgreSQL" => &[
            "$$;'$$",
            "$a$ ; $$ ; ' $a$",
            "E'\\';',",
            "'\\'",
            "(;)",
            "( ( ; ) ';' )",
            "a$b$c",
            "$1",
            "/* /* ; */ ; */",
            "E'x'\n'\\';'\n,",
            "U&\"\\;\"",
            "'\\'",
            "a[1]",
            "#",
        ],
        "MySQL" => &[
            "'\\';'",
            "'\\\\'",
            "\"\\\";\"",
            "`;`",
            "`a``;'`",
            "# ; '\n",
            "/*! ; '*/' */",
            "/*M!100100 ; */",
            "5--1",
            "@`;`",
            "$a$",
            "(",
            ")",
            "[",
        ],
        "SQL Server" => &[
            ";",
            "[;']",
            "[a]]\nGO\n]",
            "'\\'",
            "/* /*\nGO\n*/ ; */",
            "N'\nGO\n'",
            "@go",
            "#go",
            "x GO",
            "(",
            ")",
        ],
        "SQLite" => &[
            "[;']",
            "[a\"]",
            "`;```",
            "'\\'",
            "/* /* ; */",
            "$a",
            "?1",
            "(",
            ")",
        ],
        other => panic!("no tokens for {other}"),
    };
    tokens.extend(own);
    tokens
}

/// Statements with bodies, as they stand.
fn bodies(syntax: &'static Syntax) -> &'static [&'static str] {
    match syntax.name {
        "PostgreSQL" => &[
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN ';' THEN 1 END; SELECT 2; END",
            "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)",
            "DO $$ BEGIN PERFORM 1; END $$",
        ],
        "MySQL" => &[
            "CREATE PROCEDURE p() BEGIN IF a THEN SELECT ';'; END IF; WHILE b DO SET c = CASE 1 WHEN 2 THEN 3 END; END WHILE; END",
            "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN REPEAT SET x = 1; UNTIL x END REPEAT; END",
            "BEGIN NOT ATOMIC SELECT 1; END",
            "BEGIN",
        ],
        "SQLite" => &[
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE WHEN ';' THEN 1 END; SELECT 2; END",
            "BEGIN",
            "END",
        ],
        _ => &[
            "CREATE PROCEDURE p AS BEGIN SELECT 1; SELECT 2; END",
            "BEGIN TRAN; COMMIT;",
        ],
    }
}

fn statement(syntax: &'static Syntax) -> impl Strategy<Value = String> {
    let plain = prop::collection::vec(select(tokens(syntax)), 0..12)
        // The first word decides what follows, the last token where the text ends.
        .prop_map(|tokens| format!("SELECT {} x", tokens.join(" ")));
    prop_oneof![3 => plain, 1 => select(bodies(syntax)).prop_map(str::to_owned)]
}

fn script() -> impl Strategy<Value = (&'static Syntax, Vec<String>, Vec<&'static str>, usize)> {
    dialect().prop_flat_map(|syntax| {
        let separators: &[&'static str] = match syntax.name {
            "SQL Server" => &[
                "\nGO\n",
                "\r\ngo\r\n",
                "\nGO 1 -- '\n",
                "\n  Go  \n\n",
                "\n/* ' */ GO\nGO\n-- '\n",
            ],
            _ => &[
                ";",
                " ;\n",
                ";;",
                "/* ; */;",
                "-- ;\n;\n",
                "; -- '\n",
                ";/* ' */ ; ",
                "\r\n;\r\n",
            ],
        };
        (
            Just(syntax),
            prop::collection::vec(statement(syntax), 1..6),
            prop::collection::vec(select(separators), 6),
            0..1_000_usize,
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn exactly_the_statements_come_back((syntax, statements, separators, seed) in script()) {
        let mut script = String::new();
        for (statement, separator) in statements.iter().zip(&separators) {
            script.push_str(statement);
            script.push_str(separator);
        }
        let found: Vec<_> = Splitter::new(Trickle::new(script.as_bytes(), seed), syntax)
            .map(|found| found.map(|found| found.text).map_err(|error| error.to_string()))
            .collect::<Result<_, _>>()
            .map_err(|error| TestCaseError::fail(format!("{error} in {script:?}")))?;
        prop_assert_eq!(found, statements, "in {:?}", script);
    }
}
