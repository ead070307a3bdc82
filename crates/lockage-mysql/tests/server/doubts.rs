//! Statements of which nobody can say whether they took effect: the run stops, says what there is to see, and how to settle it.

use lockage_mysql::lockage_core::{Error, ErrorKind, LockWait};
use lockage_testkit::Failure;

use crate::place::{Place, runner};
use crate::proxy::{Cut, Proxy};

crate::tests!(
    a_procedure_that_commits_is_not_called_twice,
    rows_in_a_table_without_transactions_are_not_written_twice,
    an_account_is_not_made_twice,
    a_table_that_somebody_else_changed_too,
    a_drop_that_failed_halfway_says_so,
);

/// Runs a script whose line is cut when the server has answered to a text, and then once more.
async fn cut_behind(
    place: &Place,
    text: &str,
    script: &str,
    between: &str,
) -> Result<Result<(), Error>, Failure> {
    let files = [("V1__a.sql", script)];
    let proxy = Proxy::start(place.host()).await?;
    proxy.cut(Cut::BehindText(text.into()));
    let error = runner(&place.url_at(&proxy.address()), &files)?
        .wait(LockWait::Never)
        .up()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SessionLost, "{error:?}");
    assert!(proxy.has_cut());
    if !between.is_empty() {
        place.execute(between).await?;
    }
    Ok(place.runner(&files)?.up().await.map(drop))
}

/// The run stopped at a statement and named both ways out.
fn in_doubt(done: Result<(), Error>, statement: u32, seen: &str) -> Result<(), Failure> {
    let error = done.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged, "{error:?}");
    assert!(
        error.message().contains(&format!("statement {statement} ")),
        "{error}"
    );
    assert!(error.message().contains(seen), "{error}");
    let hint = error.hint().unwrap_or_default();
    assert!(
        hint.contains("repair --settle done") && hint.contains("repair --settle again"),
        "{hint}"
    );
    assert!(
        error.location().is_some_and(|place| place.line.is_some()),
        "{error:?}"
    );
    Ok(())
}

async fn a_procedure_that_commits_is_not_called_twice(place: &Place) -> Result<(), Failure> {
    let script = "CREATE TABLE t (n INT);
        DELIMITER //
        CREATE PROCEDURE p() BEGIN INSERT INTO t VALUES (1); COMMIT; INSERT INTO t VALUES (2); END//
        DELIMITER ;
        CALL p();
        INSERT INTO t VALUES (3);";
    let done = cut_behind(place, "CALL p()", script, "").await?;
    in_doubt(done, 3, "may have done so halfway")?;
    assert_eq!(place.texts("SELECT n FROM t").await?, ["1", "2"]);
    let runner = place.runner(&[("V1__a.sql", script)])?;
    let in_doubt = runner.in_doubt(true).await?;
    runner.repair(&in_doubt).await?;
    place.runner(&[("V1__a.sql", script)])?.up().await?;
    assert_eq!(place.texts("SELECT n FROM t").await?, ["1", "2", "3"]);
    Ok(())
}

async fn rows_in_a_table_without_transactions_are_not_written_twice(
    place: &Place,
) -> Result<(), Failure> {
    let script =
        "CREATE TABLE t (n INT) ENGINE=MyISAM; INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);";
    let done = cut_behind(place, "INSERT INTO t VALUES (1)", script, "").await?;
    in_doubt(done, 2, "has no transactions")?;
    assert_eq!(place.texts("SELECT n FROM t").await?, ["1"]);
    Ok(())
}

async fn an_account_is_not_made_twice(place: &Place) -> Result<(), Failure> {
    let name = lockage_testkit::unique_name("u")
        .chars()
        .rev()
        .take(30)
        .collect::<String>();
    let script = format!("CREATE USER '{name}'@'%'; DROP USER IF EXISTS '{name}'@'%';");
    let done = cut_behind(place, "CREATE USER", &script, "").await?;
    in_doubt(done, 1, "nothing in the schema shows it")?;
    place.execute(&format!("DROP USER '{name}'@'%'")).await
}

async fn a_table_that_somebody_else_changed_too(place: &Place) -> Result<(), Failure> {
    let script = "CREATE TABLE t (n INT, m INT); ALTER TABLE t MODIFY n BIGINT;";
    let done = cut_behind(
        place,
        "ALTER TABLE t",
        script,
        "CREATE TABLE another (n INT)",
    )
    .await?;
    in_doubt(done, 2, "table `t` has another definition than before")
}

async fn a_drop_that_failed_halfway_says_so(place: &Place) -> Result<(), Failure> {
    let mariadb = place.text("SELECT VERSION()").await?.contains("MariaDB");
    let files = [("V1__a.sql", "CREATE TABLE a (n INT); DROP TABLE a, b;")];
    let error = place.runner(&files)?.up().await.unwrap_err();
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
    let told = context.iter().any(|line| {
        line.starts_with("schema: ")
            && line.contains("table `a` was there before and is missing now")
    });
    assert_eq!(told, mariadb, "{context:?}");
    Ok(())
}
