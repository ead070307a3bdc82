use lockage_script::SQLITE;

use crate::assertions::assert_split;

#[test]
fn literals_and_comments_keep_semicolons() {
    assert_split(
        &SQLITE,
        &[
            (
                "SELECT ';'; SELECT 'it''s;'; SELECT '\\'",
                &["SELECT ';'", "SELECT 'it''s;'", "SELECT '\\'"],
            ),
            (
                "SELECT \";\"\"\", `;```, [;\"]; SELECT [a]]; SELECT 3",
                &["SELECT \";\"\"\", `;```, [;\"]", "SELECT [a]]", "SELECT 3"],
            ),
            (
                "/* /* ; */ SELECT 1; -- a;\nSELECT 2",
                &["SELECT 1", "SELECT 2"],
            ),
            ("SELECT 1--'\n;SELECT 2", &["SELECT 1", "SELECT 2"]),
            (
                "SELECT $a, @b, :c, ?1; SELECT $$",
                &["SELECT $a, @b, :c, ?1", "SELECT $$"],
            ),
            ("SELECT (1; SELECT 2)", &["SELECT (1", "SELECT 2)"]),
        ],
    );
}

#[test]
// Long because it is a table of scripts.
fn trigger_is_one_statement() {
    assert_split(
        &SQLITE,
        &[
            (
                "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT 2; END; SELECT 3",
                &[
                    "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT 2; END",
                    "SELECT 3",
                ],
            ),
            (
                "create temp trigger t after insert on a begin select 1;\n-- c\nend -- d\n; SELECT 3",
                &[
                    "create temp trigger t after insert on a begin select 1;\n-- c\nend",
                    "SELECT 3",
                ],
            ),
            (
                "CREATE TEMPORARY TRIGGER IF NOT EXISTS t AFTER INSERT ON a WHEN CASE 1 WHEN 1 THEN 1 END BEGIN SELECT 1; END",
                &[
                    "CREATE TEMPORARY TRIGGER IF NOT EXISTS t AFTER INSERT ON a WHEN CASE 1 WHEN 1 THEN 1 END BEGIN SELECT 1; END",
                ],
            ),
            (
                "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE WHEN 1 THEN CASE 2 WHEN 3 THEN 4 END END; SELECT 2; END; SELECT 3",
                &[
                    "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE WHEN 1 THEN CASE 2 WHEN 3 THEN 4 END END; SELECT 2; END",
                    "SELECT 3",
                ],
            ),
            (
                "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT \"end\", ';END;', [END] FROM b; END; SELECT 3",
                &[
                    "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT \"end\", ';END;', [END] FROM b; END",
                    "SELECT 3",
                ],
            ),
            (
                "EXPLAIN QUERY PLAN CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END; SELECT 3",
                &[
                    "EXPLAIN QUERY PLAN CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END",
                    "SELECT 3",
                ],
            ),
            // Not a body.
            (
                "CREATE TRIGGER t; SELECT 1; END; SELECT 2",
                &["CREATE TRIGGER t", "SELECT 1", "END", "SELECT 2"],
            ),
            (
                "1 CREATE TRIGGER t BEGIN a; b",
                &["1 CREATE TRIGGER t BEGIN a", "b"],
            ),
            (
                "CREATE (TRIGGER t BEGIN a; b",
                &["CREATE (TRIGGER t BEGIN a", "b"],
            ),
            (
                "BEGIN; SELECT 1; END; SELECT 2",
                &["BEGIN", "SELECT 1", "END", "SELECT 2"],
            ),
            (
                "BEGIN IMMEDIATE TRANSACTION; COMMIT",
                &["BEGIN IMMEDIATE TRANSACTION", "COMMIT"],
            ),
            (
                "CREATE TABLE trigger (begin INT); SELECT 2",
                &["CREATE TABLE trigger (begin INT)", "SELECT 2"],
            ),
            (
                "CREATE TEMP TABLE a AS SELECT CASE WHEN 1 THEN 2 END; SELECT 2",
                &[
                    "CREATE TEMP TABLE a AS SELECT CASE WHEN 1 THEN 2 END",
                    "SELECT 2",
                ],
            ),
        ],
    );
}
