use super::*;

fn name(name: &str) -> Name {
    Name {
        database: None,
        name: name.into(),
    }
}

fn changes(text: &str) -> Vec<(Object, String, Change)> {
    match classify(text) {
        Class::Ddl(DdlEffect::Changes(changes)) => changes
            .into_iter()
            .map(|changed| (changed.object, changed.name.name, changed.change))
            .collect(),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn session_settings_are_recognised() {
    for text in [
        "USE shop",
        "SET NAMES utf8mb4",
        "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */",
        "SET foreign_key_checks = 0",
        "SET @@session.sql_mode = ''",
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "SET GLOBAL x = 1",
    ] {
        assert_eq!(classify(text), Class::Session, "{text}");
    }
}

#[test]
fn statements_without_implicit_commit_are_data() {
    for text in [
        "INSERT INTO t VALUES (1)",
        "-- a comment\nwith x as (select 1) select * from x",
        "SET @a = 1",
        "SET @`a b` := (SELECT max(id) FROM t), @b = 2",
        "CALL p(1)",
        "CREATE TEMPORARY TABLE t (a INT)",
        "CREATE OR REPLACE TEMPORARY TABLE t (a INT)",
        "DROP TEMPORARY TABLE t",
        "PREPARE s FROM 'ALTER TABLE t ADD a INT'",
        "DROP PREPARE s",
        "ANALYZE FORMAT=JSON SELECT 1",
        "LOAD DATA INFILE 'x' INTO TABLE t",
        "BEGIN NOT ATOMIC INSERT INTO t VALUES (1); END",
        "DO SLEEP(0)",
    ] {
        assert_eq!(classify(text), Class::Data, "{text}");
    }
}

#[test]
fn idempotent_ddl_is_recognised() {
    for text in [
        "GRANT SELECT ON *.* TO 'a'@'b'",
        "CREATE TABLE IF NOT EXISTS t (a INT)",
        "DROP TABLE IF EXISTS a, b",
        "CREATE OR REPLACE VIEW v AS SELECT 1",
        "CREATE OR REPLACE DEFINER=`root`@`localhost` PROCEDURE p() SELECT 1",
        "CREATE USER IF NOT EXISTS u",
        "ALTER USER u IDENTIFIED BY 'x'",
        "ALTER DATABASE CHARACTER SET utf8mb4",
        "ALTER VIEW v AS SELECT 2",
        "ANALYZE TABLE t",
        "SET PASSWORD = 'x'",
    ] {
        assert_eq!(classify(text), Class::Ddl(DdlEffect::Idempotent), "{text}");
    }
}

#[test]
fn unverifiable_ddl_is_recognised() {
    for text in [
        "CREATE USER u",
        "DROP ROLE r",
        "REVOKE ALL ON *.* FROM u",
        "CREATE OR REPLACE TABLE t (a INT)",
        "ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u",
        "ALTER TABLE t TRUNCATE PARTITION p",
        "ALTER SEQUENCE s RESTART 7",
        "CREATE FUNCTION f RETURNS STRING SONAME 'f.so'",
        "RENAME USER a TO b",
        "RENAME TABLE a TO x, b TO a, x TO b",
        "INSTALL PLUGIN p SONAME 'p.so'",
    ] {
        assert_eq!(classify(text), Class::Ddl(DdlEffect::Unknown), "{text}");
    }
}

// Long because it is a table of cases.
#[test]
fn ddl_effect_names_changed_objects() {
    use Change::{Altered, Created, CreatedWithRows, Dropped};
    for (text, expected) in [
        (
            "CREATE TABLE `My Table` (a INT)",
            vec![(Object::Table, "My Table", Created)],
        ),
        (
            "create table t (a int default (select 1))",
            vec![(Object::Table, "t", Created)],
        ),
        (
            "CREATE TABLE t AS SELECT 1",
            vec![(Object::Table, "t", CreatedWithRows)],
        ),
        (
            "CREATE TABLE IF NOT EXISTS t (a INT) SELECT 1 AS a",
            vec![(Object::Table, "t", CreatedWithRows)],
        ),
        (
            "CREATE TABLE t (SELECT 1)",
            vec![(Object::Table, "t", CreatedWithRows)],
        ),
        (
            "CREATE DEFINER = 'a'@'b' TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1",
            vec![(Object::Trigger, "tr", Created)],
        ),
        (
            "CREATE ALGORITHM = MERGE DEFINER = CURRENT_USER() SQL SECURITY INVOKER VIEW v AS SELECT 1",
            vec![(Object::View, "v", Created)],
        ),
        (
            "CREATE AGGREGATE FUNCTION f() RETURNS INT RETURN 1",
            vec![(Object::Function, "f", Created)],
        ),
        (
            "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1",
            vec![(Object::Event, "e", Created)],
        ),
        ("CREATE DATABASE d", vec![(Object::Database, "d", Created)]),
        (
            "CREATE UNIQUE INDEX i ON t (a)",
            vec![(
                Object::Table,
                "t",
                Altered(vec![Clause::Adds(Part::Key("i".into()))]),
            )],
        ),
        (
            "DROP INDEX `PRIMARY` ON t",
            vec![(
                Object::Table,
                "t",
                Altered(vec![Clause::Drops(Part::PrimaryKey)]),
            )],
        ),
        (
            "DROP TABLE a, `b`",
            vec![(Object::Table, "a", Dropped), (Object::Table, "b", Dropped)],
        ),
        ("DROP PROCEDURE p", vec![(Object::Procedure, "p", Dropped)]),
        (
            "RENAME TABLE a TO b",
            vec![(Object::Table, "a", Dropped), (Object::Table, "b", Created)],
        ),
        (
            "RENAME TABLE a TO a_old, a_new TO a",
            vec![
                (Object::Table, "a_new", Dropped),
                (Object::Table, "a_old", Created),
            ],
        ),
        (
            "ALTER TABLE t ADD c INT",
            vec![(
                Object::Table,
                "t",
                Altered(vec![Clause::Adds(Part::Column("c".into()))]),
            )],
        ),
        (
            "ALTER ONLINE IGNORE TABLE t WAIT 5 ENGINE=InnoDB",
            vec![(Object::Table, "t", Altered(vec![Clause::Unverifiable]))],
        ),
        (
            "/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`l`*/ /*!50003 TRIGGER t AFTER INSERT ON u FOR EACH ROW SET @a = 1 */",
            vec![(Object::Trigger, "t", Created)],
        ),
        (
            "SET STATEMENT max_statement_time=0 FOR DROP TABLE a",
            vec![(Object::Table, "a", Dropped)],
        ),
        (
            "EXECUTE IMMEDIATE 'DROP VIEW v'",
            vec![(Object::View, "v", Dropped)],
        ),
    ] {
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(object, name, change)| (object, name.to_owned(), change))
            .collect();
        assert_eq!(changes(text), expected, "{text}");
    }
    assert_eq!(
        classify("TRUNCATE TABLE s.t"),
        Class::Ddl(DdlEffect::Truncates(Name {
            database: Some("s".into()),
            ..name("t")
        }))
    );
    assert_eq!(classify("EXECUTE s USING @a"), Class::Execute("s".into()));
}

#[test]
fn unsupported_statements_are_rejected() {
    for text in [
        "LOCK TABLES t WRITE",
        "XA START 'x'",
        "load data local infile 'x' into table t",
        "LOAD XML CONCURRENT LOCAL INFILE 'x' INTO TABLE t",
        "FLUSH TABLES WITH READ LOCK",
    ] {
        assert!(check_supported(text).is_err(), "{text}");
    }
    for text in [
        "LOAD DATA INFILE 'local' INTO TABLE t",
        "UNLOCK TABLES",
        "FLUSH TABLES",
        "INSERT INTO `lock` VALUES ('LOCAL')",
    ] {
        assert!(check_supported(text).is_ok(), "{text}");
    }
}

#[test]
fn user_variables_and_prepared_statements_are_read() {
    assert_eq!(
        user_variables("SET @A = @@sql_mode, @`b c` = @a + @'d'"),
        ["a", "b c", "d"]
    );
    assert_eq!(
        user_variables("GRANT ALL ON x TO 'u'@'h', `v`@`%`; SELECT 'a@b'"),
        [""; 0]
    );
    assert_eq!(
        prepared("PREPARE s FROM 'DROP TABLE `a`'"),
        Some(Prepared::Text("s".into(), "DROP TABLE `a`".into()))
    );
    assert_eq!(
        prepared("prepare s from @Q"),
        Some(Prepared::Variable("s".into(), "q".into()))
    );
    assert_eq!(
        prepared("DEALLOCATE PREPARE s"),
        Some(Prepared::Deallocated("s".into()))
    );
    assert_eq!(prepared("SELECT 1"), None);
}
