use super::*;

fn name(name: &str) -> Name {
    Name {
        database: None,
        name: name.into(),
    }
}

fn changes(text: &str) -> Vec<(Object, String, Becomes)> {
    match classify(text) {
        Class::Ddl(Deed::Changes(changes)) => changes
            .into_iter()
            .map(|change| (change.object, change.name.name, change.becomes))
            .collect(),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn what_only_the_session_feels() {
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
fn what_can_share_a_transaction() {
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
fn what_is_the_same_twice() {
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
        assert_eq!(classify(text), Class::Ddl(Deed::Repeatable), "{text}");
    }
}

#[test]
fn what_nothing_tells_of_afterwards() {
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
        assert_eq!(classify(text), Class::Ddl(Deed::Opaque), "{text}");
    }
}

#[test]
fn what_the_schema_tells() {
    use Becomes::{Filled, Gone, Other, There};
    for (text, expected) in [
        (
            "CREATE TABLE `My Table` (a INT)",
            vec![(Object::Table, "My Table", There)],
        ),
        (
            "create table t (a int default (select 1))",
            vec![(Object::Table, "t", There)],
        ),
        (
            "CREATE TABLE t AS SELECT 1",
            vec![(Object::Table, "t", Filled)],
        ),
        (
            "CREATE TABLE IF NOT EXISTS t (a INT) SELECT 1 AS a",
            vec![(Object::Table, "t", Filled)],
        ),
        (
            "CREATE TABLE t (SELECT 1)",
            vec![(Object::Table, "t", Filled)],
        ),
        (
            "CREATE DEFINER = 'a'@'b' TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1",
            vec![(Object::Trigger, "tr", There)],
        ),
        (
            "CREATE ALGORITHM = MERGE DEFINER = CURRENT_USER() SQL SECURITY INVOKER VIEW v AS SELECT 1",
            vec![(Object::View, "v", There)],
        ),
        (
            "CREATE AGGREGATE FUNCTION f() RETURNS INT RETURN 1",
            vec![(Object::Function, "f", There)],
        ),
        (
            "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1",
            vec![(Object::Event, "e", There)],
        ),
        ("CREATE DATABASE d", vec![(Object::Database, "d", There)]),
        (
            "CREATE UNIQUE INDEX i ON t (a)",
            vec![(
                Object::Table,
                "t",
                Other(vec![Clause::Adds(Part::Key("i".into()))]),
            )],
        ),
        (
            "DROP INDEX `PRIMARY` ON t",
            vec![(
                Object::Table,
                "t",
                Other(vec![Clause::Drops(Part::PrimaryKey)]),
            )],
        ),
        (
            "DROP TABLE a, `b`",
            vec![(Object::Table, "a", Gone), (Object::Table, "b", Gone)],
        ),
        ("DROP PROCEDURE p", vec![(Object::Procedure, "p", Gone)]),
        (
            "RENAME TABLE a TO b",
            vec![(Object::Table, "a", Gone), (Object::Table, "b", There)],
        ),
        (
            "RENAME TABLE a TO a_old, a_new TO a",
            vec![
                (Object::Table, "a_new", Gone),
                (Object::Table, "a_old", There),
            ],
        ),
        (
            "ALTER TABLE t ADD c INT",
            vec![(
                Object::Table,
                "t",
                Other(vec![Clause::Adds(Part::Column("c".into()))]),
            )],
        ),
        (
            "ALTER ONLINE IGNORE TABLE t WAIT 5 ENGINE=InnoDB",
            vec![(Object::Table, "t", Other(vec![Clause::Silent]))],
        ),
        (
            "/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`l`*/ /*!50003 TRIGGER t AFTER INSERT ON u FOR EACH ROW SET @a = 1 */",
            vec![(Object::Trigger, "t", There)],
        ),
        (
            "SET STATEMENT max_statement_time=0 FOR DROP TABLE a",
            vec![(Object::Table, "a", Gone)],
        ),
        (
            "EXECUTE IMMEDIATE 'DROP VIEW v'",
            vec![(Object::View, "v", Gone)],
        ),
    ] {
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(object, name, becomes)| (object, name.to_owned(), becomes))
            .collect();
        assert_eq!(changes(text), expected, "{text}");
    }
    assert_eq!(
        classify("TRUNCATE TABLE s.t"),
        Class::Ddl(Deed::Truncates(Name {
            database: Some("s".into()),
            ..name("t")
        }))
    );
    assert_eq!(classify("EXECUTE s USING @a"), Class::Execute("s".into()));
}

#[test]
fn what_a_migration_cannot_have() {
    for text in [
        "LOCK TABLES t WRITE",
        "XA START 'x'",
        "load data local infile 'x' into table t",
        "LOAD XML CONCURRENT LOCAL INFILE 'x' INTO TABLE t",
        "FLUSH TABLES WITH READ LOCK",
    ] {
        assert!(refuse(text).is_some(), "{text}");
    }
    for text in [
        "LOAD DATA INFILE 'local' INTO TABLE t",
        "UNLOCK TABLES",
        "FLUSH TABLES",
        "INSERT INTO `lock` VALUES ('LOCAL')",
    ] {
        assert!(refuse(text).is_none(), "{text}");
    }
}

#[test]
fn variables_and_prepared_statements() {
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
        Some(Prepared::Forgotten("s".into()))
    );
    assert_eq!(prepared("SELECT 1"), None);
}
