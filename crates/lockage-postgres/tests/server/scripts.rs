//! Scripts: their settings, errors, notices and time limits.

use std::time::Duration;

use lockage_core::{ErrorKind, Outcome};
use lockage_testkit::TestError;

use crate::error_checks::{
    context_contains, error_line, expect_error, hint_contains, script_error,
};
use crate::event_recorder::EventRecorder;
use crate::migrations::{no_transaction, spawn_up};
use crate::test_database::TestDatabase;

crate::tests!(
    empty_search_path_of_a_script_does_not_affect_history,
    role_of_a_script_ends_with_it,
    settings_of_a_script_end_with_it,
    settings_without_transaction_last_until_script_end,
    resumed_run_repeats_session_settings,
    commit_in_transactional_script_is_rejected_before_running,
    commit_inside_a_block_rolls_back_the_script,
    non_transactional_statement_is_rejected_before_running,
    copy_from_and_to_the_client_is_rejected,
    failed_statement_is_reported_with_its_position,
    syntax_error_runs_nothing,
    error_inside_a_function_names_its_query,
    deferred_constraint_violation_fails_the_migration,
    notices_are_reported,
    statement_timeout_cancels_the_statement,
    locked_table_is_retried,
    backslashes_and_quotes_are_preserved,
    backslash_escapes_of_the_database_are_disabled,
    unqualified_names_use_the_schema_option,
    long_script_is_one_transaction,
);

async fn empty_search_path_of_a_script_does_not_affect_history(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let dump = "SELECT pg_catalog.set_config('search_path', '', false);\nSET row_security = off;\n\
                CREATE TABLE public.a (n int);\nINSERT INTO public.a VALUES (1);";
    let autocommit = no_transaction(&dump.replace("public.a", "public.b"));
    let files = [
        ("V1__dump.sql", dump),
        ("V2__autocommit.sql", &*autocommit),
        ("V3__c.sql", "CREATE TABLE c AS SELECT * FROM a"),
    ];
    database.runner(&files)?.up().await?;
    assert_eq!(
        database
            .texts("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
            .await?
            .len(),
        5
    );
    assert_eq!(
        database.runner(&files)?.up().await?.outcome,
        Outcome::UpToDate
    );
    Ok(())
}

async fn role_of_a_script_ends_with_it(database: &TestDatabase) -> Result<(), TestError> {
    let (owner, _) = database.create_role("").await?;
    database
        .execute(&format!("CREATE SCHEMA app AUTHORIZATION {owner}"))
        .await?;
    let set = format!("SET ROLE {owner}; CREATE TABLE app.a (n int);");
    let autocommit = no_transaction(&format!(
        "SET ROLE {owner};\nCREATE TABLE app.b (n int);\nVACUUM app.b;\nCREATE TABLE app.c (n int);"
    ));
    let session = format!("SET SESSION AUTHORIZATION {owner}; CREATE TABLE app.d (n int);");
    let files = [
        ("V1__role.sql", &*set),
        ("V2__autocommit.sql", &*autocommit),
        ("V3__session.sql", &*session),
        ("V4__ours.sql", "CREATE TABLE app.e (n int)"),
        (
            "V5__ours.sql",
            "-- lockage: no-transaction\nCREATE TABLE app.f (n int)",
        ),
    ];
    database.runner(&files)?.up().await?;
    let owned = |by: String| {
        format!(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'app' AND tableowner = {by} ORDER BY 1"
        )
    };
    assert_eq!(
        database.texts(&owned(format!("'{owner}'"))).await?,
        ["a", "b", "c", "d"]
    );
    assert_eq!(
        database.texts(&owned("current_user".into())).await?,
        ["e", "f"]
    );
    database.drop_role(&owner).await
}

async fn settings_of_a_script_end_with_it(database: &TestDatabase) -> Result<(), TestError> {
    let set = "SET statement_timeout = '50ms'; SET lock_timeout = '1ms'; SET default_transaction_read_only = on;
               SET default_transaction_isolation = 'serializable'; SET standard_conforming_strings = off; SET work_mem = '7MB';";
    let read = "CREATE TABLE seen AS SELECT pg_sleep(0.2)::text AS p, current_setting('work_mem') AS m, current_setting('statement_timeout') AS s,
                current_setting('lock_timeout') AS l, current_setting('transaction_isolation') AS i, 'a\\' AS t";
    database
        .runner(&[("V1__set.sql", set), ("V2__read.sql", read)])?
        .up()
        .await?;
    assert_eq!(
        database
            .text("SELECT m || s || l || i || t FROM seen")
            .await?,
        "4MB05sread committeda\\"
    );
    Ok(())
}

async fn settings_without_transaction_last_until_script_end(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let script = "-- lockage: no-transaction\nSET work_mem = '7MB';\nSET lock_timeout = '3s';\nCREATE TABLE t (n int);
        CREATE INDEX CONCURRENTLY i ON t (n);\nCREATE TABLE seen AS SELECT current_setting('work_mem') || current_setting('lock_timeout') AS s";
    database.runner(&[("V1__a.sql", script)])?.up().await?;
    assert_eq!(database.text("SELECT s FROM seen").await?, "7MB3s");
    Ok(())
}

async fn resumed_run_repeats_session_settings(database: &TestDatabase) -> Result<(), TestError> {
    database.execute("CREATE SCHEMA app").await?;
    let script = "-- lockage: no-transaction\nSET search_path = app;\nCREATE TABLE a (n int);\nINSERT INTO later VALUES (1);\nCREATE TABLE b (n int)";
    let error = script_error(database, script, ErrorKind::MigrationFailed).await?;
    assert!(context_contains(&error, "effect", "2 of 4"), "{error:?}");
    database.execute("CREATE TABLE app.later (n int)").await?;
    database.runner(&[("V1__a.sql", script)])?.up().await?;
    let tables = database
        .texts("SELECT tablename FROM pg_tables WHERE schemaname = 'app' ORDER BY 1")
        .await?;
    assert_eq!(tables, ["a", "b", "later"]);
    assert_eq!(database.text("SELECT count(*) FROM app.later").await?, "1");
    Ok(())
}

async fn commit_in_transactional_script_is_rejected_before_running(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let files = [
        ("V1__a.sql", "CREATE TABLE a (n int)"),
        ("V2__b.sql", "CREATE TABLE b (n int);\nCOMMIT;\nSELECT 1"),
    ];
    let error = expect_error(database.runner(&files)?, ErrorKind::InvalidMigration).await?;
    assert_eq!(error_line(&error), Some(2), "{error:?}");
    assert!(database.has_no_tables().await?);
    Ok(())
}

async fn commit_inside_a_block_rolls_back_the_script(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let script = "CREATE TABLE a (n int);\nDO $$ BEGIN INSERT INTO a VALUES (1); COMMIT; END $$;";
    let error = script_error(database, script, ErrorKind::MigrationFailed).await?;
    assert!(hint_contains(&error, "no-transaction"), "{error:?}");
    assert_eq!(error_line(&error), Some(2), "{error:?}");
    assert_eq!(
        database
            .text("SELECT count(*) FROM lockage_history")
            .await?,
        "0"
    );
    assert!(!database.has_table("a").await?);
    let autocommit = no_transaction(script);
    database.runner(&[("V1__a.sql", &autocommit)])?.up().await?;
    assert_eq!(database.text("SELECT count(*) FROM a").await?, "1");
    Ok(())
}

async fn non_transactional_statement_is_rejected_before_running(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let script = "CREATE TABLE a (n int);\n\nCREATE INDEX CONCURRENTLY i ON a (n)";
    let error = script_error(database, script, ErrorKind::InvalidMigration).await?;
    assert!(hint_contains(&error, "no-transaction"), "{error:?}");
    let location = error.location().ok_or("no location")?;
    assert_eq!(
        (location.line, location.column),
        (Some(3), Some(1)),
        "{error:?}"
    );
    assert!(database.has_no_tables().await?);
    Ok(())
}

async fn copy_from_and_to_the_client_is_rejected(database: &TestDatabase) -> Result<(), TestError> {
    for script in [
        "CREATE TABLE a (n int);\nCOPY a (n) FROM stdin;\n1\n\\.\n",
        "CREATE TABLE a (n int);\nCOPY a TO STDOUT;",
    ] {
        let error = script_error(database, script, ErrorKind::InvalidMigration).await?;
        assert_eq!(error_line(&error), Some(2), "{error:?}");
        let advice = error.hint().unwrap_or(error.message());
        assert!(
            advice.contains("use INSERT") || advice.contains("remove the statement"),
            "{error:?}"
        );
    }
    assert!(database.has_no_tables().await?);
    Ok(())
}

async fn failed_statement_is_reported_with_its_position(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let script = "CREATE TABLE a (n text);\n-- äöü\nINSERT INTO a VALUES ('ü');\n\n  INSERT INTO a\n    VALUES ('größer'), (wrong);\nSELECT 1;";
    for header in ["", "-- lockage: no-transaction\n"] {
        let error = script_error(
            database,
            &format!("{header}{script}"),
            ErrorKind::MigrationFailed,
        )
        .await?;
        let location = error.location().ok_or("no location")?;
        let line = 6 + header.lines().count() as u32;
        assert_eq!(
            (location.line, location.column),
            (Some(line), Some(25)),
            "{error:?}"
        );
        assert_eq!(
            location.line_text.as_deref(),
            Some("    VALUES ('größer'), (wrong)")
        );
        assert!(context_contains(&error, "sqlstate", "42703"), "{error:?}");
        database
            .execute("DROP TABLE IF EXISTS a, lockage_history, lockage_journal")
            .await?;
    }
    Ok(())
}

async fn syntax_error_runs_nothing(database: &TestDatabase) -> Result<(), TestError> {
    for (script, line, column) in [
        (
            "CREATE TABLE a (n int);\nCREATE TABEL b (n int);\nSELECT 1",
            2,
            8,
        ),
        (
            "CREATE TABLE a (n int);\nCREATE TABLE b (n int) WITH",
            2,
            28,
        ),
    ] {
        let error = script_error(database, script, ErrorKind::MigrationFailed).await?;
        let location = error.location().ok_or("no location")?;
        assert_eq!(
            (location.line, location.column),
            (Some(line), Some(column)),
            "{error:?}"
        );
        assert!(context_contains(&error, "sqlstate", "42601"), "{error:?}");
        assert!(!database.has_table("a").await?);
    }
    Ok(())
}

async fn error_inside_a_function_names_its_query(database: &TestDatabase) -> Result<(), TestError> {
    let script = "SELECT 1;\nDO $$ BEGIN\n  PERFORM wrong FROM pg_class;\nEND $$;";
    let error = script_error(database, script, ErrorKind::MigrationFailed).await?;
    assert_eq!(error_line(&error), Some(2), "{error:?}");
    assert!(context_contains(&error, "query", "wrong"), "{error:?}");
    assert!(context_contains(&error, "context", "line 2"), "{error:?}");
    Ok(())
}

async fn deferred_constraint_violation_fails_the_migration(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let script = "CREATE TABLE a (n int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO a VALUES (1), (1);";
    let error = script_error(database, script, ErrorKind::MigrationFailed).await?;
    assert!(context_contains(&error, "detail", "(n)=(1)"), "{error:?}");
    assert_eq!(
        database
            .text("SELECT count(*) FROM lockage_history")
            .await?,
        "0"
    );
    Ok(())
}

async fn notices_are_reported(database: &TestDatabase) -> Result<(), TestError> {
    let script = "DO $$ BEGIN RAISE NOTICE 'half'; RAISE WARNING 'careful'; END $$;";
    let autocommit = no_transaction(script);
    for files in [
        &[("V1__a.sql", script)][..],
        &[("V1__a.sql", script), ("V2__b.sql", &*autocommit)],
    ] {
        let recorder = EventRecorder::default();
        database
            .runner(files)?
            .observer(recorder.clone())
            .up()
            .await?;
        let mut events = recorder.events();
        events.sort();
        assert_eq!(events, ["1/1", "NOTICE: half", "WARNING: careful"]);
    }
    Ok(())
}

async fn statement_timeout_cancels_the_statement(database: &TestDatabase) -> Result<(), TestError> {
    let script = "-- lockage: statement-timeout=100ms\nSELECT 1;\nSELECT pg_sleep(600)";
    let error = script_error(database, script, ErrorKind::MigrationFailed).await?;
    assert!(error.message().contains("statement timeout"), "{error}");
    assert!(hint_contains(&error, "--statement-timeout"), "{error:?}");
    assert_eq!(error_line(&error), Some(3), "{error:?}");
    Ok(())
}

async fn locked_table_is_retried(database: &TestDatabase) -> Result<(), TestError> {
    database.execute("CREATE TABLE a (n int)").await?;
    let one = (
        "V1__a.sql",
        "-- lockage: ddl-lock-timeout=50ms\nALTER TABLE a ADD COLUMN v1 int",
    );
    let two = (
        "V2__b.sql",
        "-- lockage: no-transaction\n-- lockage: ddl-lock-timeout=50ms\nALTER TABLE a ADD COLUMN v2 int",
    );
    for files in [&[one][..], &[one, two]] {
        let user = database.client().await?;
        user.batch_execute("BEGIN; SELECT * FROM a").await?;
        let recorder = EventRecorder::default();
        let runner = database.runner(files)?.observer(recorder.clone());
        let running = spawn_up(runner);
        while !recorder
            .events()
            .iter()
            .any(|event| event.starts_with("retry 3"))
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Between two attempts, other sessions can use the table.
        database
            .execute("SET statement_timeout = '30s'; INSERT INTO a DEFAULT VALUES")
            .await?;
        user.batch_execute("COMMIT").await?;
        running.await??;
    }
    let columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'a'::regclass AND attname IN ('v1', 'v2')";
    assert_eq!(database.text(columns).await?, "2");
    Ok(())
}

async fn backslashes_and_quotes_are_preserved(database: &TestDatabase) -> Result<(), TestError> {
    let script = r"CREATE TABLE a AS SELECT 'it''s \ here' AS t, E'x\\y\'z' AS e, $b$';\$b$ AS d; -- the end";
    database
        .runner(&[("V1__it's_a_'name'.sql", script)])?
        .up()
        .await?;
    assert_eq!(
        database.text("SELECT t || e || d FROM a").await?,
        r"it's \ herex\y'z';\"
    );
    assert_eq!(
        database.text("SELECT name FROM lockage_history").await?,
        "it's a 'name'"
    );
    Ok(())
}

async fn backslash_escapes_of_the_database_are_disabled(
    database: &TestDatabase,
) -> Result<(), TestError> {
    database
        .execute(&format!(
            "ALTER DATABASE {} SET standard_conforming_strings = off",
            database.name()
        ))
        .await?;
    let script = r"CREATE TABLE a AS SELECT 'a\' AS t; INSERT INTO a VALUES ('b\')";
    let more = r"INSERT INTO a VALUES ('c\')";
    database
        .runner(&[("V1__a.sql", script), ("V2__a.sql", more)])?
        .up()
        .await?;
    assert_eq!(
        database.texts("SELECT t FROM a ORDER BY 1").await?,
        [r"a\", r"b\", r"c\"]
    );
    Ok(())
}

async fn unqualified_names_use_the_schema_option(database: &TestDatabase) -> Result<(), TestError> {
    database.execute("CREATE TABLE shared (n int)").await?;
    let files = [
        ("V1__a.sql", "CREATE TABLE a AS SELECT * FROM shared"),
        ("V2__b.sql", "SET search_path = public; CREATE TABLE b ()"),
        ("V3__c.sql", "CREATE TABLE c ()"),
    ];
    let runner = database
        .runner(&files)?
        .connect_options(|options| options.schema = Some("My app".into()));
    runner.up().await?;
    assert_eq!(runner.up().await?.outcome, Outcome::UpToDate);
    let tables = database
        .texts("SELECT tablename FROM pg_tables WHERE schemaname = 'My app' ORDER BY 1")
        .await?;
    assert_eq!(tables, ["a", "c", "lockage_history"]);
    Ok(())
}

/// The script is longer than one batch.
async fn long_script_is_one_transaction(database: &TestDatabase) -> Result<(), TestError> {
    let row = format!("INSERT INTO a VALUES ('{}');\n", "ä".repeat(50_000));
    let good = format!("CREATE TABLE a (t text);\n{}", row.repeat(40));
    let bad = format!("{good}INSERT INTO a VALUES ('ä', 1);\n");
    let error = script_error(database, &bad, ErrorKind::MigrationFailed).await?;
    let location = error.location().ok_or("no location")?;
    assert_eq!(
        (location.line, location.column),
        (Some(42), Some(28)),
        "{error:?}"
    );
    assert!(!database.has_table("a").await?);
    database.runner(&[("V1__a.sql", &good)])?.up().await?;
    assert_eq!(database.text("SELECT count(*) FROM a").await?, "40");
    assert_eq!(
        database
            .text("SELECT statements_done FROM lockage_history")
            .await?,
        "41"
    );
    Ok(())
}
