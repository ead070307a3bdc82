//! Compound statements without a `DELIMITER` line.

use lockage_script::MYSQL;

use crate::assertions::{assert_split, statements};

/// Checks that each body is one statement.
fn assert_one_statement(bodies: &[&str]) {
    for body in bodies {
        let script = format!("SELECT 0; {body}; SELECT 1; SELECT 2;");
        let found: Vec<_> = statements(&script, &MYSQL)
            .into_iter()
            .map(|found| found.text)
            .collect();
        assert_eq!(found, ["SELECT 0", body, "SELECT 1", "SELECT 2"]);
    }
}

#[test]
fn routines_are_one_statement() {
    assert_one_statement(&[
        "CREATE PROCEDURE p() BEGIN END",
        "CREATE PROCEDURE p() BEGIN SELECT 1; END",
        "create or replace definer = root@localhost.lan procedure if not exists `a`.`p`(in x int) sql security invoker begin select 1; end",
        "CREATE DEFINER=`event`@`%` PROCEDURE p() COMMENT 'BEGIN' BEGIN SELECT 1; END",
        "CREATE DEFINER=event@a_very_long_host_name PROCEDURE p() BEGIN SELECT 1; END",
        "CREATE DEFINER=CURRENT_USER() PROCEDURE p(OUT a DECIMAL(10,2)) BEGIN SELECT 1; END",
        "CREATE FUNCTION f(a INT) RETURNS VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DETERMINISTIC BEGIN RETURN 1; END",
        "CREATE FUNCTION f() RETURNS SET('a','b') BEGIN RETURN 'a'; END",
        "CREATE FUNCTION f() RETURNS INT RETURN IF(1, 2, 3)",
        "CREATE FUNCTION f() RETURNS INT RETURN CASE WHEN 1 THEN 2 ELSE 3 END",
        "CREATE AGGREGATE FUNCTION f(x INT) RETURNS INT BEGIN LOOP FETCH GROUP NEXT ROW; END LOOP; END",
        "CREATE AGGREGATE FUNCTION f RETURNS STRING SONAME 'udf.so'",
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET NEW.x = 1; END",
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW FOLLOWS b.c BEGIN SET NEW.x = 1; END",
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW PRECEDES `c` IF NEW.x THEN SET NEW.y = 1; END IF",
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.x = IF(NEW.y, 1, 2)",
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW IF (NEW.x) THEN SET NEW.y = 1; END IF",
        "CREATE EVENT e ON SCHEDULE EVERY 1 HOUR COMMENT 'DO' DO BEGIN DELETE FROM t; END",
        "CREATE EVENT IF NOT EXISTS e ON SCHEDULE AT NOW() DO UPDATE t SET a = REPEAT('x', 3)",
        "ALTER EVENT e DO BEGIN DELETE FROM t; END",
        "ALTER DEFINER = root@localhost EVENT e DO BEGIN DELETE FROM t; END",
        "CREATE PROCEDURE p() DROP TABLE IF EXISTS t",
        "CREATE PROCEDURE p() lbl: BEGIN LEAVE lbl; END lbl",
        "BEGIN NOT ATOMIC IF a THEN SELECT 1; END IF; END",
        "BEGIN NOT ATOMIC DECLARE x INT; SET x = 1; END",
        "IF @a THEN SELECT 1; ELSE SELECT 2; END IF",
        "WHILE @a DO SELECT 1; END WHILE",
        "FOR i IN 1..3 DO SELECT i; END FOR",
    ]);
}

#[test]
fn nested_blocks_are_one_statement() {
    assert_one_statement(&[
        "CREATE PROCEDURE p() BEGIN BEGIN SELECT 1; END; BEGIN SELECT 2; END; END",
        "CREATE PROCEDURE p() BEGIN IF a THEN IF b THEN SELECT 1; END IF; END IF; SELECT 2; END",
        "CREATE PROCEDURE p() BEGIN IF a THEN SELECT 1; ELSEIF b THEN SELECT 2; ELSE IF c THEN SELECT 3; END IF; END IF; END",
        "CREATE PROCEDURE p() BEGIN CASE x WHEN 1 THEN SELECT 1; WHEN 2 THEN BEGIN END; ELSE SELECT 2; END CASE; SELECT 3; END",
        "CREATE PROCEDURE p() BEGIN CASE WHEN x THEN IF y THEN SELECT 1; END IF; END CASE; SELECT 3; END",
        "CREATE PROCEDURE p() BEGIN l1: LOOP LEAVE l1; END LOOP l1; `l2`: WHILE x DO ITERATE l2; END WHILE `l2`; END",
        "CREATE PROCEDURE p() BEGIN REPEAT IF a THEN SELECT 1; END IF; UNTIL x END REPEAT; END",
        "CREATE PROCEDURE p() BEGIN CASE x WHEN 1 THEN SELECT 1; END CASE; CASE y WHEN 2 THEN SELECT 2; END CASE; END",
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN follows: LOOP LEAVE follows; END LOOP; END",
        "CREATE PROCEDURE p() BEGIN REPEAT SET x = x + 1; UNTIL x > 3 END REPEAT; SELECT 1; END",
        "CREATE PROCEDURE p() BEGIN WHILE x DO WHILE y DO SELECT 1; END WHILE; END WHILE; END",
        "CREATE PROCEDURE p() BEGIN FOR r IN (SELECT 1) DO FOR i IN REVERSE 1..3 DO SELECT i; END FOR; END FOR; END",
        "CREATE PROCEDURE p() BEGIN a:BEGIN SELECT 1; END a; END",
    ]);
}

#[test]
fn handlers_are_part_of_the_body() {
    assert_one_statement(&[
        "CREATE PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; END; SELECT 1; END",
        "CREATE PROCEDURE p() BEGIN DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = IF(a, 1, 2); SELECT 1; END",
        "CREATE PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR SQLSTATE '23000', 1062, NOT FOUND, oops BEGIN SELECT 1; END; SELECT 2; END",
        "CREATE PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR SQLSTATE VALUE '23000' IF a THEN SELECT 1; END IF; SELECT 1; END",
        "CREATE PROCEDURE p() BEGIN DECLARE c CURSOR FOR SELECT CASE WHEN a THEN 1 END; OPEN c; END",
        "CREATE PROCEDURE p() BEGIN DECLARE oops CONDITION FOR SQLSTATE '45000'; SELECT 1; END",
    ]);
}

#[test]
fn keywords_in_expressions_open_no_block() {
    assert_one_statement(&[
        "CREATE PROCEDURE p() BEGIN SELECT IF(a, 1, 2), REPEAT('x', 3), LEFT(a, 1); SELECT 2; END",
        "CREATE PROCEDURE p() BEGIN IF IF(a, b, c) THEN SELECT 1; END IF; END",
        "CREATE PROCEDURE p() BEGIN IF NOT EXISTS (SELECT 1) THEN SELECT 1; END IF; END",
        "CREATE PROCEDURE p() BEGIN DROP TABLE IF EXISTS a; CREATE TABLE IF NOT EXISTS b (c INT); END",
        "CREATE PROCEDURE p() BEGIN SELECT CASE WHEN IF(a, b, c) THEN IF(d, e, f) ELSE REPEAT('x', 3) END; SELECT 1; END",
        "CREATE PROCEDURE p() BEGIN IF CASE WHEN a THEN b END THEN SELECT 1; END IF; END",
        "CREATE PROCEDURE p() BEGIN IF x THEN SET y = CASE WHEN a THEN IF(b, c, d) ELSE IF(e, f, g) END; END IF; END",
        "CREATE PROCEDURE p() BEGIN SELECT(IF(a, b, c)); SET a := IF(b, c, d); END",
        "CREATE PROCEDURE p() BEGIN SET x = CASE y WHEN 1 THEN CASE z WHEN 2 THEN 3 END END; SELECT 1; END",
        "CREATE PROCEDURE p() BEGIN SET x = CASE WHEN 1 THEN 2 END, y = CASE WHEN 1 THEN 2 END; END",
        "CREATE PROCEDURE p() BEGIN SELECT begin, end, NEW.end, NEW.case, `end`, @end, 1 AS end FROM t WHERE end > 1; END",
        "CREATE PROCEDURE p() BEGIN SELECT CASE WHEN end > 1 THEN -1 ELSE a.end END; SELECT 1; END",
        "CREATE PROCEDURE p() BEGIN SELECT CASE WHEN a THEN 'x' END, CASE WHEN a THEN 1. END, CASE WHEN a THEN f() END; END",
        "CREATE PROCEDURE p() BEGIN SELECT a FROM t FOR UPDATE; SELECT ';END;' /* END; */; END",
        "CREATE PROCEDURE p() BEGIN INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = IF(b, 1, 2); END",
        "CREATE PROCEDURE p() BEGIN START TRANSACTION; DO SLEEP(1); COMMIT; END",
        "CREATE PROCEDURE p() BEGIN WHILE a DO DO SLEEP(1); END WHILE; END",
        "CREATE PROCEDURE p() BEGIN (SELECT 1) UNION (SELECT 2); SET a := 1; END",
    ]);
}

#[test]
fn versioned_comments_are_part_of_a_body() {
    assert_one_statement(&[
        "/*!50003 CREATE*/ /*!50020 DEFINER=`root`@`%`*/ /*!50003 PROCEDURE p() BEGIN SELECT 1; END */",
        "CREATE /*!50017 DEFINER=`root`@`%` */ TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN /*!50001 SELECT 1 */; END",
    ]);
}

#[test]
// Long because it is a table of scripts.
fn statements_without_body_end_at_semicolon() {
    assert_split(
        &MYSQL,
        &[
            ("BEGIN; SELECT 1; COMMIT", &["BEGIN", "SELECT 1", "COMMIT"]),
            (
                "BEGIN WORK; SELECT 1; END",
                &["BEGIN WORK", "SELECT 1", "END"],
            ),
            (
                "(CREATE PROCEDURE p() BEGIN a; b",
                &["(CREATE PROCEDURE p() BEGIN a", "b"],
            ),
            ("BEGIN (NOT ATOMIC a; b", &["BEGIN (NOT ATOMIC a", "b"]),
            ("BEGIN /* NOT ATOMIC */; SELECT 1", &["BEGIN", "SELECT 1"]),
            (
                "XA BEGIN 'x'; XA END 'x'; SELECT 1",
                &["XA BEGIN 'x'", "XA END 'x'", "SELECT 1"],
            ),
            (
                "CREATE TABLE procedure_ (a INT); SELECT BEGIN; SELECT 1",
                &[
                    "CREATE TABLE procedure_ (a INT)",
                    "SELECT BEGIN",
                    "SELECT 1",
                ],
            ),
            (
                "CREATE DEFINER=a@b SQL SECURITY DEFINER VIEW v AS SELECT CASE WHEN 1 THEN 2 END; SELECT 1",
                &[
                    "CREATE DEFINER=a@b SQL SECURITY DEFINER VIEW v AS SELECT CASE WHEN 1 THEN 2 END",
                    "SELECT 1",
                ],
            ),
            ("SELECT CASE; SELECT 1", &["SELECT CASE", "SELECT 1"]),
            (
                "DROP PROCEDURE IF EXISTS p; SELECT 1",
                &["DROP PROCEDURE IF EXISTS p", "SELECT 1"],
            ),
            (
                "ALTER TABLE event DROP x; SELECT 1",
                &["ALTER TABLE event DROP x", "SELECT 1"],
            ),
            (
                "CREATE PROCEDURE p; SELECT 1",
                &["CREATE PROCEDURE p", "SELECT 1"],
            ),
            (
                "CREATE PROCEDURE p() SELECT CASE WHEN 1; SELECT 1",
                &["CREATE PROCEDURE p() SELECT CASE WHEN 1", "SELECT 1"],
            ),
            (
                "CREATE TRIGGER t; SELECT 1",
                &["CREATE TRIGGER t", "SELECT 1"],
            ),
            (
                "CREATE USER begin IDENTIFIED BY 'x'; SELECT 1",
                &["CREATE USER begin IDENTIFIED BY 'x'", "SELECT 1"],
            ),
        ],
    );
}
