//! Scripts: batches, messages, errors and locked tables.

use std::time::Duration;

use lockage_sqlserver::lockage_core::{ErrorKind, Outcome};
use lockage_testkit::TestError;

use crate::direct_client::connect;
use crate::event_recorder::EventRecorder;
use crate::test_database::{TestDatabase, ensure, runner};

crate::tests![
    unicode_is_kept_in_scripts_names_and_rows,
    batches_run_with_their_counts,
    printed_messages_are_reported,
    error_names_line_of_file,
    error_after_rows_is_reported,
    statement_on_table_in_use_is_retried,
];

async fn unicode_is_kept_in_scripts_names_and_rows(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let script = "CREATE TABLE [Größe 🚢] ([naïve] NVARCHAR(40))\nGO\n\
                  INSERT INTO [Größe 🚢] VALUES (N'schäfer Ω 🚢')\nGO\n-- ünd ein Kommentar\n";
    let files = [("V1__größe_Ω.sql", script)];
    runner(database.options()?, &files)?.up().await?;
    let rows = database.texts("SELECT [naïve] FROM [Größe 🚢]").await?;
    ensure(rows == ["schäfer Ω 🚢"], format!("the rows: {rows:?}"))?;
    let names = database
        .texts("SELECT CONVERT(NVARCHAR(250), name) FROM lockage_history")
        .await?;
    ensure(names == ["größe Ω"], format!("the names: {names:?}"))?;
    let again = runner(database.options()?, &files)?.up().await?;
    ensure(
        again.outcome == Outcome::UpToDate && !again.took_lock,
        format!("the second run: {again:?}"),
    )
}

async fn batches_run_with_their_counts(database: &TestDatabase) -> Result<(), TestError> {
    let script = "CREATE TABLE seen (n INT)\ngo\n/* a comment\nGO\n*/ INSERT INTO seen VALUES (1)\nGO 3 -- times\n\
                  INSERT INTO seen SELECT 2 WHERE '\nGO\n' <> ''\n  GO  \nCREATE VIEW two AS SELECT n FROM seen WHERE n = 2\nGO";
    let run = runner(database.options()?, &[("V1__a.sql", script)])?;
    run.up().await?;
    let rows = database
        .texts("SELECT CONVERT(NVARCHAR(9), n) FROM seen ORDER BY n")
        .await?;
    ensure(rows == ["1", "1", "1", "2"], format!("{rows:?}"))?;
    let rows = database
        .texts("SELECT CONVERT(NVARCHAR(9), n) FROM two")
        .await?;
    ensure(rows == ["2"], format!("{rows:?}"))
}

async fn printed_messages_are_reported(database: &TestDatabase) -> Result<(), TestError> {
    let script =
        "PRINT N'half way, schäfer'\nGO\nRAISERROR('a word of warning', 10, 1) WITH NOWAIT\n";
    let recorder = EventRecorder::default();
    let run = runner(database.options()?, &[("V1__a.sql", script)])?;
    run.observer(recorder.clone()).up().await?;
    ensure(
        recorder.texts() == ["INFO: half way, schäfer", "INFO: a word of warning"],
        format!("{:?}", recorder.texts()),
    )
}

async fn error_names_line_of_file(database: &TestDatabase) -> Result<(), TestError> {
    let script = "CREATE TABLE seen (n INT NOT NULL)\nGO\n\n-- the second\nINSERT INTO seen VALUES (1)\nGO 2\n\
                  INSERT INTO seen VALUES (3);\nINSERT INTO seen\n  VALUES (NULL);\n";
    let error = match runner(database.options()?, &[("V1__a.sql", script)])?
        .up()
        .await
    {
        Err(error) => error,
        Ok(report) => return Err(format!("the NULL was inserted: {report:?}").into()),
    };
    let line = error.location().and_then(|location| location.line);
    // The server reports the first line of a statement.
    ensure(
        error.kind() == ErrorKind::MigrationFailed && line == Some(8),
        format!("{error:?}"),
    )?;
    let tables =
        database.texts("SELECT CONVERT(NVARCHAR(128), name) FROM sys.tables WHERE name = 'seen'");
    ensure(
        tables.await?.is_empty(),
        "a part of the script was committed",
    )?;
    ensure(
        database.applied("lockage_history").await?.is_empty(),
        "the failed migration is recorded as applied",
    )
}

async fn error_after_rows_is_reported(database: &TestDatabase) -> Result<(), TestError> {
    let script =
        "CREATE TABLE seen (n INT)\nGO\nSELECT 1 AS a; SELECT 2 AS b; RAISERROR('too late', 16, 1)";
    match runner(database.options()?, &[("V1__a.sql", script)])?
        .up()
        .await
    {
        Err(error) if error.message().contains("too late") => {}
        other => return Err(format!("{other:?}").into()),
    }
    let left =
        database.texts("SELECT CONVERT(NVARCHAR(128), name) FROM sys.tables WHERE name = 'seen'");
    ensure(left.await?.is_empty(), "a part of the script was committed")
}

async fn statement_on_table_in_use_is_retried(database: &TestDatabase) -> Result<(), TestError> {
    database.execute("CREATE TABLE busy (n INT)").await?;
    let mut blocker = connect(&database.url).await?;
    let lock_table = "BEGIN TRANSACTION; ALTER TABLE busy ADD used INT";
    blocker
        .simple_query(lock_table)
        .await?
        .into_results()
        .await?;
    let mut options = database.options()?;
    options.ddl_lock_timeout = Some(Duration::from_millis(200));
    let recorder = EventRecorder::default();
    let run =
        runner(options, &[("V1__a.sql", "ALTER TABLE busy ADD x INT")])?.observer(recorder.clone());
    let running = tokio::spawn(async move { run.up().await });
    while !recorder.texts().contains(&"try 2".to_owned()) {
        ensure(!running.is_finished(), "the run did not wait for the table")?;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let rollback = "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION";
    blocker.simple_query(rollback).await?.into_results().await?;
    let report = running.await??;
    ensure(report.applied.len() == 1, format!("{report:?}"))
}
