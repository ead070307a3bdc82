use lockage_script::MYSQL;

use crate::assertions::assert_split;

#[test]
fn comments_are_skipped() {
    assert_split(
        &MYSQL,
        &[
            ("# a;\nSELECT 1; # b", &["SELECT 1"]),
            ("-- a;\nSELECT 1 --\t;\n; --", &["SELECT 1"]),
            ("--\nSELECT 1", &["SELECT 1"]),
            // Minus minus one.
            ("SELECT 5--1; SELECT 2", &["SELECT 5--1", "SELECT 2"]),
            // The client drops a line between statements that starts with dashes.
            (
                "--it's;\nSELECT 1;\n-----\nSELECT 2",
                &["SELECT 1", "SELECT 2"],
            ),
            (
                "SELECT 5\n--'a;'; SELECT 2",
                &["SELECT 5\n--'a;'", "SELECT 2"],
            ),
            (
                "SELECT 5 /* c */\n--'a;'; SELECT 2",
                &["SELECT 5 /* c */\n--'a;'", "SELECT 2"],
            ),
            ("DELIMITER |\na\n|--x|b|", &["a", "--x", "b"]),
            ("DELIMITER |\n|--x|", &["--x"]),
            (
                "SELECT 1;--x;\n --y; SELECT 3",
                &["SELECT 1", "--x", "--y", "SELECT 3"],
            ),
            (
                "SELECT '#'; SELECT 5--'a;'; SELECT 3",
                &["SELECT '#'", "SELECT 5--'a;'", "SELECT 3"],
            ),
            // Not nested.
            ("/* /* ; */ SELECT 1; SELECT 2", &["SELECT 1", "SELECT 2"]),
            (
                "SELECT /*+ MAX_EXECUTION_TIME(1); */ 1; SELECT 2",
                &["SELECT /*+ MAX_EXECUTION_TIME(1); */ 1", "SELECT 2"],
            ),
            ("-- a\rSELECT 1;\nSELECT 2", &["SELECT 2"]),
        ],
    );
}

#[test]
fn literals_keep_semicolons() {
    assert_split(
        &MYSQL,
        &[
            (r"SELECT '\';'; SELECT 2", &[r"SELECT '\';'", "SELECT 2"]),
            (r"SELECT '\\'; SELECT 2", &[r"SELECT '\\'", "SELECT 2"]),
            (
                r"SELECT 'it''s;', ''''; SELECT 2",
                &[r"SELECT 'it''s;', ''''", "SELECT 2"],
            ),
            (
                r#"SELECT "\";", ";""", ''; SELECT 2"#,
                &[r#"SELECT "\";", ";""", ''"#, "SELECT 2"],
            ),
            (
                r"SELECT `a;``\`; SELECT 2",
                &[r"SELECT `a;``\`", "SELECT 2"],
            ),
            (
                r"SELECT _utf8'\';', N'\';', x'00'; SELECT 2",
                &[r"SELECT _utf8'\';', N'\';', x'00'", "SELECT 2"],
            ),
            (
                "CREATE FUNCTION f() $$; SELECT $$",
                &["CREATE FUNCTION f() $$", "SELECT $$"],
            ),
            ("SELECT $$; SELECT $a$", &["SELECT $$", "SELECT $a$"]),
            ("SELECT a[1; SELECT 2]", &["SELECT a[1", "SELECT 2]"]),
            ("SELECT (1; SELECT 2)", &["SELECT (1", "SELECT 2)"]),
            (
                "SET @a := ';', @`b;` = @@c; SELECT @'d;'",
                &["SET @a := ';', @`b;` = @@c", "SELECT @'d;'"],
            ),
            (
                "CREATE FUNCTION f() RETURNS INT LANGUAGE JAVASCRIPT AS $js$ a; $$ $js$; SELECT 2",
                &[
                    "CREATE FUNCTION f() RETURNS INT LANGUAGE JAVASCRIPT AS $js$ a; $$ $js$",
                    "SELECT 2",
                ],
            ),
        ],
    );
}

#[test]
fn versioned_comments_are_code() {
    assert_split(
        &MYSQL,
        &[
            (
                "/*!40101 SET NAMES utf8 */;",
                &["/*!40101 SET NAMES utf8 */"],
            ),
            (
                "/*! SELECT 1 */; SELECT 2",
                &["/*! SELECT 1 */", "SELECT 2"],
            ),
            (
                "/*M!100100 SELECT 1 */; SELECT 2",
                &["/*M!100100 SELECT 1 */", "SELECT 2"],
            ),
            ("/*m! no code */; SELECT 2", &["SELECT 2"]),
            (
                "SELECT 1 /*!50001 , '*/;' */ ; SELECT 2",
                &["SELECT 1 /*!50001 , '*/;' */", "SELECT 2"],
            ),
            (
                "/*!50001 a; b */; SELECT 2",
                &["/*!50001 a; b */", "SELECT 2"],
            ),
            (
                "/*!50001 a /* ; */ b */; SELECT 2",
                &["/*!50001 a /* ; */ b */", "SELECT 2"],
            ),
            (
                "/*!50001 a /*!80000 b */ ; c */; SELECT 2",
                &["/*!50001 a /*!80000 b */ ; c */", "SELECT 2"],
            ),
            ("SELECT 2 */ 3; SELECT 4", &["SELECT 2 */ 3", "SELECT 4"]),
        ],
    );
}

#[test]
// Long because it is a table of scripts.
fn delimiter_line_changes_separator() {
    assert_split(
        &MYSQL,
        &[
            (
                "DELIMITER //\nSELECT 1; SELECT 2//\nDELIMITER ;\nSELECT 3; SELECT 4",
                &["SELECT 1; SELECT 2", "SELECT 3", "SELECT 4"],
            ),
            (
                "delimiter $$\r\nSELECT 1;\r\nEND$$\r\nDelimiter ;\r\nSELECT 3;",
                &["SELECT 1;\r\nEND", "SELECT 3"],
            ),
            (
                "DELIMITER ;;\nSELECT 1; SELECT 2;;SELECT 3;;",
                &["SELECT 1; SELECT 2", "SELECT 3"],
            ),
            (
                "DELIMITER '|'\nSELECT 1|SELECT 2",
                &["SELECT 1", "SELECT 2"],
            ),
            (
                "DELIMITER // the rest of the line\nSELECT 1//SELECT 2",
                &["SELECT 1", "SELECT 2"],
            ),
            (
                "SELECT 1; DELIMITER |\nSELECT 2;|",
                &["SELECT 1", "SELECT 2;"],
            ),
            ("/* c */ DELIMITER |\nSELECT 2;|", &["SELECT 2;"]),
            ("DELIMITER |", &[]),
            ("DELIMITER é\nSELECT aéSELECT 2é", &["SELECT a", "SELECT 2"]),
            (
                "DELIMITER $/\nSELECT a$/SELECT b$ /c$/",
                &["SELECT a", "SELECT b$ /c"],
            ),
            (
                "DELIMITER $$\nSELECT ab$$SELECT abc$$",
                &["SELECT ab", "SELECT abc"],
            ),
            // Not in literals, comments or code.
            (
                "DELIMITER //\nSELECT '//' -- //\n, `//` /* // */ //SELECT 2",
                &["SELECT '//' -- //\n, `//`", "SELECT 2"],
            ),
            (
                "DELIMITER |\n/*!50003 CREATE | x */|SELECT 2",
                &["/*!50003 CREATE | x */", "SELECT 2"],
            ),
            // A delimiter of letters must be a separate word.
            (
                "DELIMITER go\nSELECT gold, ergo;go SELECT 2 go",
                &["SELECT gold, ergo;", "SELECT 2"],
            ),
            // Elsewhere, an identifier.
            (
                "SELECT\ndelimiter x; SELECT 2",
                &["SELECT\ndelimiter x", "SELECT 2"],
            ),
            ("delimiter.x(); SELECT 2", &["delimiter.x()", "SELECT 2"]),
            // With a delimiter, a body ends without END.
            (
                "DELIMITER |\nCREATE PROCEDURE p() BEGIN|SELECT 2",
                &["CREATE PROCEDURE p() BEGIN", "SELECT 2"],
            ),
            // After `DELIMITER ;`, bodies are tracked again.
            (
                "DELIMITER |\nSELECT 1|\nDELIMITER ;\nCREATE PROCEDURE p() BEGIN a; END; SELECT 2",
                &["SELECT 1", "CREATE PROCEDURE p() BEGIN a; END", "SELECT 2"],
            ),
        ],
    );
}

#[test]
fn mysqldump_output_is_split() {
    assert_split(
        &MYSQL,
        &[(
            "/*M!999999\\- enable the sandbox mode */ \n-- Host: x\n/*!40101 SET @a=1 */;\nDELIMITER ;;\n\
         /*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN\n\
         SET NEW.x = ';;'; END */;;\nDELIMITER ;\nUNLOCK TABLES;\n-- Dump completed\n",
            &[
                "/*M!999999\\- enable the sandbox mode */ \n-- Host: x\n/*!40101 SET @a=1 */",
                "/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN\n\
             SET NEW.x = ';;'; END */",
                "UNLOCK TABLES",
            ],
        )],
    );
}
