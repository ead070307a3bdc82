use lockage_script::SQLSERVER;

use crate::assertions::{assert_split, statements};

#[test]
fn batches_end_at_go_lines() {
    assert_split(
        &SQLSERVER,
        &[
            ("SELECT 1; SELECT 2", &["SELECT 1; SELECT 2"]),
            ("SELECT 1\nGO\nSELECT 2;\ngo", &["SELECT 1", "SELECT 2;"]),
            (
                "SELECT 1\r\n \tGo \t\r\nSELECT 2",
                &["SELECT 1", "SELECT 2"],
            ),
            ("GO\nGO\n\nSELECT 1\nGO\nGO", &["SELECT 1"]),
            ("\u{feff}GO\nSELECT 1", &["SELECT 1"]),
            (
                "SELECT 1\nGO -- a comment\nSELECT 2",
                &["SELECT 1", "SELECT 2"],
            ),
            (
                "SELECT 1\nGO--a comment\nSELECT 2",
                &["SELECT 1", "SELECT 2"],
            ),
            (
                "SELECT 1\nGO /* a */ -- b\nSELECT 2",
                &["SELECT 1", "SELECT 2"],
            ),
            (
                "SELECT 1\nGO /* a\n b */\nSELECT 2",
                &["SELECT 1", "SELECT 2"],
            ),
            ("SELECT 1\n/* a */ GO\nSELECT 2", &["SELECT 1", "SELECT 2"]),
            (
                ";WITH a AS (SELECT 1 x) SELECT x FROM a;\nGO",
                &[";WITH a AS (SELECT 1 x) SELECT x FROM a;"],
            ),
        ],
    );
}

#[test]
fn go_inside_a_line_is_a_word() {
    assert_split(
        &SQLSERVER,
        &[
            ("SELECT 1 /* c */ GO\nGO", &["SELECT 1 /* c */ GO"]),
            ("SELECT 1 GO", &["SELECT 1 GO"]),
            (
                "SELECT\n go.id,\n go_x,\n @go,\n #go,\n go#x,\n [go]\nFROM go",
                &["SELECT\n go.id,\n go_x,\n @go,\n #go,\n go#x,\n [go]\nFROM go"],
            ),
            ("SELECT '\nGO\n'\nGO", &["SELECT '\nGO\n'"]),
            (
                "SELECT N'\nGO\n''\nGO\n'\nGO",
                &["SELECT N'\nGO\n''\nGO\n'"],
            ),
            ("SELECT [\nGO\n]]\nGO\n]\nGO", &["SELECT [\nGO\n]]\nGO\n]"]),
            ("SELECT \"\nGO\n\"\nGO", &["SELECT \"\nGO\n\""]),
            ("SELECT '\n' GO\nGO", &["SELECT '\n' GO"]),
            ("/*\nGO\n/*\nGO\n*/\nGO\n*/ SELECT 1\nGO", &["SELECT 1"]),
            (
                "-- x\\\nSELECT '\\'\nGO\nSELECT 2",
                &["SELECT '\\'", "SELECT 2"],
            ),
            ("GOTO x\nGO", &["GOTO x"]),
        ],
    );
}

#[test]
fn batches_are_numbered_and_counted() {
    let found: Vec<_> = statements(
        "SELECT 1\nGO 5\nGO\nSELECT 2\nGO   2 -- twice\nSELECT 3",
        &SQLSERVER,
    )
    .into_iter()
    .map(|found| (found.text, found.batch, found.repeat))
    .collect();
    assert_eq!(
        found,
        [
            ("SELECT 1".to_owned(), 0, 5),
            ("SELECT 2".to_owned(), 2, 2),
            ("SELECT 3".to_owned(), 3, 1),
        ]
    );
}
