//! Statements whose outcome cannot be determined: the run stops, reports what it found, and how to resolve it.

use lockage_mysql::lockage_core::{Error, ErrorKind, LockWait};
use lockage_testkit::TestError;

use crate::runner::runner;
use crate::tcp_proxy::{Cut, TcpProxy};
use crate::test_database::TestDatabase;

crate::test_list::tests!(
    committing_procedure_is_not_called_twice,
    nontransactional_insert_is_not_repeated,
    create_user_is_not_repeated,
    concurrent_schema_change_leaves_statement_in_doubt,
    partial_drop_is_reported,
);

/// Runs a script, cuts the connection before the reply to a statement arrives, and runs the script again.
async fn cut_after(
    database: &TestDatabase,
    text: &str,
    script: &str,
    between: &str,
) -> Result<Result<(), Error>, TestError> {
    let files = [("V1__a.sql", script)];
    let proxy = TcpProxy::start(database.host()).await?;
    proxy.cut(Cut::AfterText(text.into()));
    let error = runner(&database.url_via(&proxy.address()), &files)?
        .wait(LockWait::Never)
        .up()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SessionLost, "{error:?}");
    assert!(proxy.has_cut());
    if !between.is_empty() {
        database.execute(between).await?;
    }
    let next = database.runner(&files)?.up().await;
    Ok(next.map(drop).map_err(Error::from))
}

/// Asserts that the run stopped at a statement, and that the hint names both ways to resolve it.
fn assert_in_doubt(
    done: Result<(), Error>,
    statement: u32,
    finding: &str,
) -> Result<(), TestError> {
    let error = done.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged, "{error:?}");
    assert!(
        error.message().contains(&format!("statement {statement} ")),
        "{error}"
    );
    assert!(error.message().contains(finding), "{error}");
    let hint = error.hint().unwrap_or_default();
    assert!(
        hint.contains("repair --resolve applied") && hint.contains("repair --resolve not-applied"),
        "{hint}"
    );
    assert!(
        error.location().is_some_and(|at| at.line.is_some()),
        "{error:?}"
    );
    Ok(())
}

async fn committing_procedure_is_not_called_twice(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let script = "CREATE TABLE t (n INT);
        DELIMITER //
        CREATE PROCEDURE p() BEGIN INSERT INTO t VALUES (1); COMMIT; INSERT INTO t VALUES (2); END//
        DELIMITER ;
        CALL p();
        INSERT INTO t VALUES (3);";
    let done = cut_after(database, "CALL p()", script, "").await?;
    assert_in_doubt(done, 3, "may have committed only a part")?;
    assert_eq!(database.texts("SELECT n FROM t").await?, ["1", "2"]);
    let runner = database.runner(&[("V1__a.sql", script)])?;
    let in_doubt = runner.in_doubt(true).await?;
    runner.repair(&in_doubt).await?;
    database.runner(&[("V1__a.sql", script)])?.up().await?;
    assert_eq!(database.texts("SELECT n FROM t").await?, ["1", "2", "3"]);
    Ok(())
}

async fn nontransactional_insert_is_not_repeated(database: &TestDatabase) -> Result<(), TestError> {
    let script =
        "CREATE TABLE t (n INT) ENGINE=MyISAM; INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);";
    let done = cut_after(database, "INSERT INTO t VALUES (1)", script, "").await?;
    assert_in_doubt(done, 2, "has no transactions")?;
    assert_eq!(database.texts("SELECT n FROM t").await?, ["1"]);
    Ok(())
}

async fn create_user_is_not_repeated(database: &TestDatabase) -> Result<(), TestError> {
    let name = lockage_testkit::unique_name("u")
        .chars()
        .rev()
        .take(30)
        .collect::<String>();
    let script = format!("CREATE USER '{name}'@'%'; DROP USER IF EXISTS '{name}'@'%';");
    let done = cut_after(database, "CREATE USER", &script, "").await?;
    assert_in_doubt(done, 1, "the schema does not show its effect")?;
    database.execute(&format!("DROP USER '{name}'@'%'")).await
}

async fn concurrent_schema_change_leaves_statement_in_doubt(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let script = "CREATE TABLE t (n INT, m INT); ALTER TABLE t MODIFY n BIGINT;";
    let done = cut_after(
        database,
        "ALTER TABLE t",
        script,
        "CREATE TABLE another (n INT)",
    )
    .await?;
    assert_in_doubt(done, 2, "table `t` has another definition than before")
}

async fn partial_drop_is_reported(database: &TestDatabase) -> Result<(), TestError> {
    let mariadb = database.text("SELECT VERSION()").await?.contains("MariaDB");
    let files = [("V1__a.sql", "CREATE TABLE a (n INT); DROP TABLE a, b;")];
    let error = database.runner(&files)?.up().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MigrationFailed);
    let context: Vec<String> = error
        .context()
        .map(|(key, value)| format!("{key}: {value}"))
        .collect();
    assert!(
        context
            .iter()
            .any(|line| line == "effect: 1 of 2 statements are committed"),
        "{context:?}"
    );
    let is_reported = context.iter().any(|line| {
        line.starts_with("schema: ")
            && line.contains("table `a` existed before and does not exist now")
    });
    assert_eq!(is_reported, mariadb, "{context:?}");
    Ok(())
}
