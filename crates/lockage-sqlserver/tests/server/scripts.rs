//! What is made of scripts.

use std::time::Duration;

use lockage_sqlserver::lockage_core::{ErrorKind, Outcome};
use lockage_testkit::TestError;

use crate::place::{Place, ensure, runner};
use crate::told::Told;
use crate::witness::client;

crate::tests![
    unicode_stands_in_scripts_names_and_rows,
    batches_and_their_counts_are_run,
    what_is_printed_is_told,
    an_error_is_told_with_the_line_of_the_file,
    an_error_behind_rows_is_not_lost,
    a_table_in_use_is_tried_again,
];

async fn unicode_stands_in_scripts_names_and_rows(place: &Place) -> Result<(), TestError> {
    let script = "CREATE TABLE [Größe 🚢] ([naïve] NVARCHAR(40))\nGO\n\
                  INSERT INTO [Größe 🚢] VALUES (N'schäfer Ω 🚢')\nGO\n-- ünd ein Kommentar\n";
    let files = [("V1__größe_Ω.sql", script)];
    runner(place.options()?, &files)?.up().await?;
    let rows = place.texts("SELECT [naïve] FROM [Größe 🚢]").await?;
    ensure(rows == ["schäfer Ω 🚢"], format!("the rows: {rows:?}"))?;
    let names = place
        .texts("SELECT CONVERT(NVARCHAR(250), name) FROM lockage_history")
        .await?;
    ensure(names == ["größe Ω"], format!("the names: {names:?}"))?;
    let again = runner(place.options()?, &files)?.up().await?;
    ensure(
        again.outcome == Outcome::UpToDate && !again.took_lock,
        format!("one run more: {again:?}"),
    )
}

async fn batches_and_their_counts_are_run(place: &Place) -> Result<(), TestError> {
    let script = "CREATE TABLE seen (n INT)\ngo\n/* a comment\nGO\n*/ INSERT INTO seen VALUES (1)\nGO 3 -- times\n\
                  INSERT INTO seen SELECT 2 WHERE '\nGO\n' <> ''\n  GO  \nCREATE VIEW two AS SELECT n FROM seen WHERE n = 2\nGO";
    let run = runner(place.options()?, &[("V1__a.sql", script)])?;
    run.up().await?;
    let rows = place
        .texts("SELECT CONVERT(NVARCHAR(9), n) FROM seen ORDER BY n")
        .await?;
    ensure(rows == ["1", "1", "1", "2"], format!("{rows:?}"))?;
    let rows = place
        .texts("SELECT CONVERT(NVARCHAR(9), n) FROM two")
        .await?;
    ensure(rows == ["2"], format!("{rows:?}"))
}

async fn what_is_printed_is_told(place: &Place) -> Result<(), TestError> {
    let script =
        "PRINT N'half way, schäfer'\nGO\nRAISERROR('a word of warning', 10, 1) WITH NOWAIT\n";
    let told = Told::default();
    let run = runner(place.options()?, &[("V1__a.sql", script)])?;
    run.observer(told.clone()).up().await?;
    ensure(
        told.texts() == ["INFO: half way, schäfer", "INFO: a word of warning"],
        format!("{:?}", told.texts()),
    )
}

async fn an_error_is_told_with_the_line_of_the_file(place: &Place) -> Result<(), TestError> {
    let script = "CREATE TABLE seen (n INT NOT NULL)\nGO\n\n-- the second\nINSERT INTO seen VALUES (1)\nGO 2\n\
                  INSERT INTO seen VALUES (3);\nINSERT INTO seen\n  VALUES (NULL);\n";
    let error = match runner(place.options()?, &[("V1__a.sql", script)])?
        .up()
        .await
    {
        Err(error) => error,
        Ok(report) => return Err(format!("a null went in: {report:?}").into()),
    };
    let line = error.location().and_then(|location| location.line);
    // Servers name the first line of a statement.
    ensure(
        error.kind() == ErrorKind::MigrationFailed && line == Some(8),
        format!("{error:?}"),
    )?;
    let tables =
        place.texts("SELECT CONVERT(NVARCHAR(128), name) FROM sys.tables WHERE name = 'seen'");
    ensure(tables.await?.is_empty(), "a part of the script stayed")?;
    ensure(
        place.applied("lockage_history").await?.is_empty(),
        "a failure is applied",
    )
}

async fn an_error_behind_rows_is_not_lost(place: &Place) -> Result<(), TestError> {
    let script =
        "CREATE TABLE seen (n INT)\nGO\nSELECT 1 AS a; SELECT 2 AS b; RAISERROR('too late', 16, 1)";
    match runner(place.options()?, &[("V1__a.sql", script)])?
        .up()
        .await
    {
        Err(error) if error.message().contains("too late") => {}
        other => return Err(format!("{other:?}").into()),
    }
    let left =
        place.texts("SELECT CONVERT(NVARCHAR(128), name) FROM sys.tables WHERE name = 'seen'");
    ensure(left.await?.is_empty(), "a part of the script stayed")
}

async fn a_table_in_use_is_tried_again(place: &Place) -> Result<(), TestError> {
    place.execute("CREATE TABLE busy (n INT)").await?;
    let mut user = client(&place.url).await?;
    let use_it = "BEGIN TRANSACTION; ALTER TABLE busy ADD used INT";
    user.simple_query(use_it).await?.into_results().await?;
    let mut options = place.options()?;
    options.ddl_lock_timeout = Some(Duration::from_millis(200));
    let told = Told::default();
    let run =
        runner(options, &[("V1__a.sql", "ALTER TABLE busy ADD x INT")])?.observer(told.clone());
    let running = tokio::spawn(async move { run.up().await });
    while !told.texts().contains(&"try 2".to_owned()) {
        ensure(!running.is_finished(), "the run did not wait for the table")?;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let give_back = "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION";
    user.simple_query(give_back).await?.into_results().await?;
    let report = running.await??;
    ensure(report.applied.len() == 1, format!("{report:?}"))
}
