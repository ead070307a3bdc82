//! Statements that Lockage rejects before anything runs, because its journal would change their meaning; and what a resumed run depends on.

use lockage_mysql::lockage_core::{Error, ErrorKind, LockWait};
use lockage_testkit::TestError;

use crate::runner::runner;
use crate::tcp_proxy::{Cut, TcpProxy};
use crate::test_database::TestDatabase;

crate::test_list::tests!(
    function_of_last_statement_is_rejected_before_running,
    implicit_transaction_is_rejected_before_running,
    last_insert_id_survives_resume,
    lost_temporary_table_prevents_resume,
    indirect_nontransactional_write_is_not_repeated,
    indirect_transactional_write_is_repeated,
    statement_above_maximum_packet_is_not_sent,
    select_limit_of_server_is_overridden,
);

/// Runs a script that must be rejected, and asserts that nothing ran.
async fn assert_rejected(
    database: &TestDatabase,
    statements: &str,
    hint: &str,
) -> Result<(), TestError> {
    let script = format!("CREATE TABLE t (n INT);\n{statements};");
    let error = database
        .runner(&[("V1__a.sql", &script)])?
        .up()
        .await
        .err()
        .ok_or_else(|| format!("{statements} was accepted"))?;
    assert_eq!(
        error.kind(),
        ErrorKind::InvalidMigration,
        "{statements}: {error:?}"
    );
    let line = error.location().and_then(|at| at.line);
    assert!(line.is_some_and(|line| line > 1), "{statements}: {error:?}");
    assert!(
        error.hint().is_some_and(|text| text.contains(hint)),
        "{statements}: {error:?}"
    );
    assert_eq!(database.texts("SHOW TABLES").await?, [""; 0]);
    Ok(())
}

async fn function_of_last_statement_is_rejected_before_running(
    database: &TestDatabase,
) -> Result<(), TestError> {
    for statement in [
        "INSERT INTO t VALUES (row_count())",
        "SET @n = FOUND_ROWS()",
        "SELECT @@warning_count INTO @n",
        "PREPARE s FROM 'INSERT INTO t VALUES (ROW_COUNT())'",
        "EXECUTE IMMEDIATE 'INSERT INTO t VALUES (ROW_COUNT())'",
    ] {
        assert_rejected(database, statement, "SELECT COUNT(*)").await?;
    }
    let script = "CREATE TABLE t (n INT); INSERT INTO t VALUES (1), (2), (3);
        INSERT INTO t SELECT LENGTH('row_count()');
        DELIMITER //
        CREATE PROCEDURE p() BEGIN DELETE FROM t; INSERT INTO t VALUES (ROW_COUNT()); END//
        DELIMITER ;
        CALL p();";
    database.runner(&[("V1__a.sql", script)])?.up().await?;
    assert_eq!(database.texts("SELECT n FROM t").await?, ["4"]);
    Ok(())
}

async fn implicit_transaction_is_rejected_before_running(
    database: &TestDatabase,
) -> Result<(), TestError> {
    for statements in [
        "SET autocommit = 0;\nINSERT INTO t VALUES (1);\nROLLBACK",
        "SET @@session.autocommit = OFF;\nINSERT INTO t VALUES (1);\nSAVEPOINT a;\nCOMMIT",
        "SET sql_mode = '', autocommit = 0;\nINSERT INTO t VALUES (1)",
        "SET completion_type = 1",
        "SET SESSION completion_type = 'RELEASE'",
    ] {
        assert_rejected(database, statements, "START TRANSACTION").await?;
    }
    // As phpMyAdmin and mysqldump --no-autocommit write it.
    let script = "SET AUTOCOMMIT = 0; START TRANSACTION; CREATE TABLE t (n INT); COMMIT;
        SET autocommit=0; INSERT INTO t VALUES (1); COMMIT;
        START TRANSACTION; INSERT INTO t VALUES (2); ROLLBACK; SET autocommit = 1;";
    database.runner(&[("V1__a.sql", script)])?.up().await?;
    assert_eq!(database.texts("SELECT n FROM t").await?, ["1"]);
    Ok(())
}

/// Runs a script that fails at `SELECT nope()`, and then the corrected script.
async fn fail_and_resume(
    database: &TestDatabase,
    script: &str,
) -> Result<Result<(), Error>, TestError> {
    let first = database.runner(&[("V1__a.sql", script)])?.up().await;
    assert_eq!(first.unwrap_err().kind(), ErrorKind::MigrationFailed);
    let corrected = script.replace("SELECT nope();", "");
    let second = database.runner(&[("V1__a.sql", &corrected)])?.up().await;
    Ok(second.map(drop).map_err(Error::from))
}

async fn last_insert_id_survives_resume(database: &TestDatabase) -> Result<(), TestError> {
    let script = "CREATE TABLE p (id INT AUTO_INCREMENT PRIMARY KEY); CREATE TABLE c (p INT);
        ALTER TABLE p AUTO_INCREMENT = 42; INSERT INTO p VALUES (NULL); SELECT nope(); INSERT INTO c VALUES (LAST_INSERT_ID());";
    fail_and_resume(database, script).await??;
    assert_eq!(database.texts("SELECT p FROM c").await?, ["42"]);
    Ok(())
}

async fn lost_temporary_table_prevents_resume(database: &TestDatabase) -> Result<(), TestError> {
    let script =
        "CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2), (3); CREATE TABLE res (a INT);
        CREATE TEMPORARY TABLE t AS SELECT 1 AS a; SELECT nope(); INSERT INTO res SELECT a FROM t;";
    let error = fail_and_resume(database, script).await?.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged, "{error:?}");
    assert!(
        error.message().contains("the temporary table `t`"),
        "{error}"
    );
    assert_eq!(database.texts("SELECT a FROM res").await?, [""; 0]);
    Ok(())
}

/// Cuts the connection before the reply to the last statement arrives, and runs the script again.
async fn cut_last(
    database: &TestDatabase,
    setup: &str,
    statement: &str,
    cut_after: &str,
) -> Result<Result<(), Error>, TestError> {
    let script = format!("{setup}\n{statement};");
    let files = [("V1__a.sql", script.as_str())];
    let proxy = TcpProxy::start(database.host()).await?;
    proxy.cut(Cut::AfterText(cut_after.into()));
    let run = runner(&database.url_via(&proxy.address()), &files)?.wait(LockWait::Never);
    let first = run.up().await;
    let error = first
        .err()
        .ok_or_else(|| format!("the connection was not cut after {statement}"))?;
    assert_eq!(
        error.kind(),
        ErrorKind::SessionLost,
        "{statement}: {error:?}"
    );
    let next = database.runner(&files)?.up().await;
    Ok(next.map(drop).map_err(Error::from))
}

/// Ways to write a row of `old` through a trigger, a view or a function, and the text after which the connection is cut.
const INDIRECT_WRITES: &[(&str, &str)] = &[
    ("INSERT INTO t VALUES (7)", "INSERT INTO t VALUES (7)"),
    ("INSERT INTO t SELECT f()", "INSERT INTO t SELECT f()"),
    ("SELECT f()", "SELECT f()"),
    ("DO f()", "DO f()"),
    ("SET @x = f()", "SET @x = f()"),
    ("INSERT INTO v VALUES (7)", "INSERT INTO v VALUES (7)"),
    ("CALL p()", "CALL p()"),
];

fn indirect_setup(engine: &str) -> String {
    format!(
        "CREATE TABLE old (n INT) ENGINE = {engine}; CREATE TABLE t (n INT); CREATE VIEW v AS SELECT n FROM old;
        DELIMITER //
        CREATE TRIGGER t_insert AFTER INSERT ON t FOR EACH ROW INSERT INTO old VALUES (1)//
        CREATE FUNCTION f() RETURNS INT DETERMINISTIC BEGIN INSERT INTO old VALUES (2); RETURN 1; END//
        CREATE PROCEDURE p() INSERT INTO old VALUES (3)//
        DELIMITER ;"
    )
}

async fn indirect_nontransactional_write_is_not_repeated(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let mariadb = database.text("SELECT VERSION()").await?.contains("MariaDB");
    let immediate = (
        "EXECUTE IMMEDIATE CONCAT('INSERT INTO old ', 'VALUES (9)')",
        "EXECUTE IMMEDIATE",
    );
    let writes = INDIRECT_WRITES.iter().chain(mariadb.then_some(&immediate));
    for (statement, cut_after) in writes {
        crate::connection_cuts::reset(database).await?;
        let next = cut_last(database, &indirect_setup("MyISAM"), statement, cut_after).await?;
        let error = next
            .err()
            .ok_or_else(|| format!("{statement} was repeated"))?;
        assert_eq!(error.kind(), ErrorKind::Diverged, "{statement}: {error:?}");
        assert!(
            error.message().contains("has no transactions"),
            "{statement}: {error}"
        );
    }
    Ok(())
}

async fn indirect_transactional_write_is_repeated(
    database: &TestDatabase,
) -> Result<(), TestError> {
    for (statement, cut_after) in INDIRECT_WRITES {
        crate::connection_cuts::reset(database).await?;
        cut_last(database, &indirect_setup("InnoDB"), statement, cut_after).await??;
        let count = database.text("SELECT COUNT(*) FROM old").await?;
        let expected = if statement.contains("t SELECT f()") {
            "2"
        } else {
            "1"
        };
        assert_eq!(count, expected, "{statement}");
    }
    Ok(())
}

async fn statement_above_maximum_packet_is_not_sent(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let max: usize = database
        .text("SELECT @@global.max_allowed_packet")
        .await?
        .parse()?;
    let long = "x".repeat(max);
    let script = format!("CREATE TABLE t (s LONGTEXT);\nINSERT INTO t VALUES ('{long}');");
    let error = database
        .runner(&[("V1__a.sql", &script)])?
        .up()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MigrationFailed);
    assert!(
        error.message().contains("max_allowed_packet"),
        "{}",
        error.message()
    );
    assert_eq!(error.location().and_then(|at| at.line), Some(2));
    database
        .runner(&[(
            "V1__a.sql",
            "CREATE TABLE t (s LONGTEXT);\nINSERT INTO t VALUES ('short');",
        )])?
        .up()
        .await?;
    assert_eq!(database.texts("SELECT s FROM t").await?, ["short"]);
    Ok(())
}

async fn select_limit_of_server_is_overridden(database: &TestDatabase) -> Result<(), TestError> {
    let files = [
        (
            "V1__a.sql",
            "SET SESSION sql_select_limit = 1, completion_type = 0",
        ),
        (
            "V2__b.sql",
            "CREATE TABLE seen AS SELECT CAST(@@sql_select_limit AS CHAR) AS s",
        ),
    ];
    database.runner(&files)?.up().await?;
    assert_eq!(
        database.text("SELECT s FROM seen").await?,
        u64::MAX.to_string()
    );
    Ok(())
}
