//! Properties of every script.

use lockage_script::{
    MYSQL, POSTGRES, SQLITE, SQLSERVER, ScriptStatement, SplitError, SplitErrorKind, Splitter,
    Syntax, leading_words, transaction_control,
};
use proptest::prelude::*;
use proptest::sample::select;

use crate::assertions::{assert_gaps_hold_no_statement, assert_positions};
use crate::short_reads::ShortReads;

/// Parts of tokens, to be joined in any order.
const FRAGMENTS: &[&str] = &[
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

fn fragments() -> impl Strategy<Value = String> {
    prop::collection::vec(select(FRAGMENTS), 0..40).prop_map(|parts| parts.concat())
}

fn any_script() -> impl Strategy<Value = String> {
    prop_oneof![4 => fragments(), 1 => any::<String>()]
}

/// Returns the statements, and the error that ended them, if any.
fn split(script: &[u8], syntax: &'static Syntax) -> (Vec<ScriptStatement>, Option<SplitError>) {
    let mut statements = Vec::new();
    for found in Splitter::new(script, syntax) {
        match found {
            Ok(statement) => statements.push(statement),
            Err(error) => return (statements, Some(error)),
        }
    }
    (statements, None)
}

fn end(statements: &[ScriptStatement]) -> u64 {
    statements
        .last()
        .map_or(0, |last| last.offset + last.text.len() as u64)
}

/// Formats everything that a splitter yields.
fn outcome(splitter: impl Iterator<Item = Result<ScriptStatement, SplitError>>) -> Vec<String> {
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
    fn script_before_a_statement_holds_only_the_statements_before_it(script in any_script(), syntax in dialect()) {
        let (statements, error) = split(script.as_bytes(), syntax);
        assert_gaps_hold_no_statement(&script, syntax, &statements);
        if let Some(error) = error {
            prop_assert!(error.offset >= end(&statements));
            prop_assert!(error.offset <= script.len() as u64);
        }
    }

    #[test]
    fn short_reads_yield_the_same_statements(script in any_script(), syntax in dialect(), seed in 0..1_000_usize) {
        let large_reads = outcome(Splitter::new(script.as_bytes(), syntax));
        let short_reads = outcome(Splitter::new(ShortReads::new(script.as_bytes(), seed), syntax));
        prop_assert_eq!(large_reads, short_reads);
    }

    #[test]
    fn statements_are_trimmed_and_at_their_positions(script in any_script(), syntax in dialect()) {
        let (statements, _) = split(script.as_bytes(), syntax);
        assert_positions(&script, &statements);
        for statement in statements {
            prop_assert!(!statement.text.is_empty());
            prop_assert!(!statement.text.starts_with([' ', '\n', '\r', '\t']));
            prop_assert!(!statement.text.ends_with([' ', '\n', '\r', '\t']));
            prop_assert!(statement.repeat > 0);
        }
    }

    #[test]
    fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), syntax in dialect()) {
        let (statements, error) = split(&bytes, syntax);
        prop_assert!(end(&statements) <= bytes.len() as u64);
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

/// Tokens that contain separators inside literals, identifiers or comments.
// Long because it is one strategy for each kind of token of every dialect.
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

/// Complete statements with bodies.
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
    let simple = prop::collection::vec(select(tokens(syntax)), 0..12)
        // The first word decides whether a body follows; the last token ends the text.
        .prop_map(|tokens| format!("SELECT {} x", tokens.join(" ")));
    prop_oneof![3 => simple, 1 => select(bodies(syntax)).prop_map(str::to_owned)]
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
    fn joined_statements_are_split_again((syntax, statements, separators, seed) in script()) {
        let mut script = String::new();
        for (statement, separator) in statements.iter().zip(&separators) {
            script.push_str(statement);
            script.push_str(separator);
        }
        let found: Vec<_> = Splitter::new(ShortReads::new(script.as_bytes(), seed), syntax)
            .map(|found| found.map(|found| found.text).map_err(|error| error.to_string()))
            .collect::<Result<_, _>>()
            .map_err(|error| TestCaseError::fail(format!("{error} in {script:?}")))?;
        prop_assert_eq!(found, statements, "in {:?}", script);
    }
}
