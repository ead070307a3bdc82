//! What scripts do, and what becomes of it.

use std::time::Duration;

use lockage_core::{ErrorKind, Outcome};
use lockage_testkit::TestError;

use crate::place::{Heard, Place, fails, hints, line_of};

crate::tests!(
    a_script_that_empties_the_search_path_leaves_ours_alone,
    a_script_that_takes_a_role_leaves_ours_alone,
    settings_of_a_script_end_with_it,
    settings_of_a_script_without_a_transaction_last_to_its_end,
    a_run_that_goes_on_repeats_what_was_set,
    a_commit_of_the_scripts_own_is_refused_before_anything_runs,
    a_commit_inside_a_procedure_fails_as_a_whole,
    a_statement_that_no_transaction_may_hold_is_refused_before_anything_runs,
    rows_from_and_for_a_client_are_refused,
    a_mistake_is_told_with_its_place,
    a_mistake_in_syntax_runs_nothing,
    a_mistake_inside_a_function_names_its_query,
    a_constraint_that_is_checked_at_the_end_fails_the_whole,
    notices_are_told,
    a_statement_that_takes_too_long_is_ended,
    a_busy_table_is_waited_for_in_short_tries,
    backslashes_and_quotes_survive,
    a_server_that_reads_backslashes_is_told_not_to,
    unqualified_names_lead_to_the_schema_of_the_options,
    a_long_script_is_one_transaction_all_the_same,
);

async fn a_script_that_empties_the_search_path_leaves_ours_alone(
    place: &Place,
) -> Result<(), TestError> {
    let dump = "SELECT pg_catalog.set_config('search_path', '', false);\nSET row_security = off;\n\
                CREATE TABLE public.a (n int);\nINSERT INTO public.a VALUES (1);";
    let bare = format!(
        "-- lockage: no-transaction\n{}",
        dump.replace("public.a", "public.b")
    );
    let files = [
        ("V1__dump.sql", dump),
        ("V2__bare.sql", &*bare),
        ("V3__c.sql", "CREATE TABLE c AS SELECT * FROM a"),
    ];
    place.runner(&files)?.up().await?;
    assert_eq!(
        place
            .texts("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
            .await?
            .len(),
        5
    );
    assert_eq!(place.runner(&files)?.up().await?.outcome, Outcome::UpToDate);
    Ok(())
}

async fn a_script_that_takes_a_role_leaves_ours_alone(place: &Place) -> Result<(), TestError> {
    let (owner, _) = place.role("").await?;
    place
        .execute(&format!("CREATE SCHEMA app AUTHORIZATION {owner}"))
        .await?;
    let set = format!("SET ROLE {owner}; CREATE TABLE app.a (n int);");
    let bare = format!(
        "-- lockage: no-transaction\nSET ROLE {owner};\nCREATE TABLE app.b (n int);\nVACUUM app.b;\nCREATE TABLE app.c (n int);"
    );
    let session = format!("SET SESSION AUTHORIZATION {owner}; CREATE TABLE app.d (n int);");
    let files = [
        ("V1__role.sql", &*set),
        ("V2__bare.sql", &*bare),
        ("V3__session.sql", &*session),
        ("V4__ours.sql", "CREATE TABLE app.e (n int)"),
        (
            "V5__ours.sql",
            "-- lockage: no-transaction\nCREATE TABLE app.f (n int)",
        ),
    ];
    place.runner(&files)?.up().await?;
    let owned = |by: String| {
        format!(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'app' AND tableowner = {by} ORDER BY 1"
        )
    };
    assert_eq!(
        place.texts(&owned(format!("'{owner}'"))).await?,
        ["a", "b", "c", "d"]
    );
    assert_eq!(
        place.texts(&owned("current_user".into())).await?,
        ["e", "f"]
    );
    place.drop_role(&owner).await
}

async fn settings_of_a_script_end_with_it(place: &Place) -> Result<(), TestError> {
    let set = "SET statement_timeout = '50ms'; SET lock_timeout = '1ms'; SET default_transaction_read_only = on;
               SET default_transaction_isolation = 'serializable'; SET standard_conforming_strings = off; SET work_mem = '7MB';";
    let look = "CREATE TABLE seen AS SELECT pg_sleep(0.2)::text AS p, current_setting('work_mem') AS m, current_setting('statement_timeout') AS s,
                current_setting('lock_timeout') AS l, current_setting('transaction_isolation') AS i, 'a\\' AS t";
    place
        .runner(&[("V1__set.sql", set), ("V2__look.sql", look)])?
        .up()
        .await?;
    assert_eq!(
        place.text("SELECT m || s || l || i || t FROM seen").await?,
        "4MB05sread committeda\\"
    );
    Ok(())
}

async fn settings_of_a_script_without_a_transaction_last_to_its_end(
    place: &Place,
) -> Result<(), TestError> {
    let script = "-- lockage: no-transaction\nSET work_mem = '7MB';\nSET lock_timeout = '3s';\nCREATE TABLE t (n int);
        CREATE INDEX CONCURRENTLY i ON t (n);\nCREATE TABLE seen AS SELECT current_setting('work_mem') || current_setting('lock_timeout') AS s";
    place.runner(&[("V1__a.sql", script)])?.up().await?;
    assert_eq!(place.text("SELECT s FROM seen").await?, "7MB3s");
    Ok(())
}

async fn a_run_that_goes_on_repeats_what_was_set(place: &Place) -> Result<(), TestError> {
    place.execute("CREATE SCHEMA app").await?;
    let script = "-- lockage: no-transaction\nSET search_path = app;\nCREATE TABLE a (n int);\nINSERT INTO later VALUES (1);\nCREATE TABLE b (n int)";
    let error = fails(
        place.runner(&[("V1__a.sql", script)])?,
        ErrorKind::MigrationFailed,
    )
    .await?;
    assert!(
        error
            .context()
            .any(|(key, value)| key == "effect" && value.contains("2 of 4")),
        "{error:?}"
    );
    place.execute("CREATE TABLE app.later (n int)").await?;
    place.runner(&[("V1__a.sql", script)])?.up().await?;
    let tables = place
        .texts("SELECT tablename FROM pg_tables WHERE schemaname = 'app' ORDER BY 1")
        .await?;
    assert_eq!(tables, ["a", "b", "later"]);
    assert_eq!(place.text("SELECT count(*) FROM app.later").await?, "1");
    Ok(())
}

async fn a_commit_of_the_scripts_own_is_refused_before_anything_runs(
    place: &Place,
) -> Result<(), TestError> {
    let files = [
        ("V1__a.sql", "CREATE TABLE a (n int)"),
        ("V2__b.sql", "CREATE TABLE b (n int);\nCOMMIT;\nSELECT 1"),
    ];
    let error = fails(place.runner(&files)?, ErrorKind::InvalidMigration).await?;
    assert_eq!(line_of(&error), Some(2), "{error:?}");
    assert!(place.is_empty().await?);
    Ok(())
}

async fn a_commit_inside_a_procedure_fails_as_a_whole(place: &Place) -> Result<(), TestError> {
    let script = "CREATE TABLE a (n int);\nDO $$ BEGIN INSERT INTO a VALUES (1); COMMIT; END $$;";
    let error = fails(
        place.runner(&[("V1__a.sql", script)])?,
        ErrorKind::MigrationFailed,
    )
    .await?;
    assert!(hints(&error, "no-transaction"), "{error:?}");
    assert_eq!(line_of(&error), Some(2), "{error:?}");
    assert_eq!(
        place.text("SELECT count(*) FROM lockage_history").await?,
        "0"
    );
    assert!(
        place
            .texts("SELECT 1 FROM pg_tables WHERE tablename = 'a'")
            .await?
            .is_empty()
    );
    let fixed = format!("-- lockage: no-transaction\n{script}");
    place.runner(&[("V1__a.sql", &fixed)])?.up().await?;
    assert_eq!(place.text("SELECT count(*) FROM a").await?, "1");
    Ok(())
}

async fn a_statement_that_no_transaction_may_hold_is_refused_before_anything_runs(
    place: &Place,
) -> Result<(), TestError> {
    let script = "CREATE TABLE a (n int);\n\nCREATE INDEX CONCURRENTLY i ON a (n)";
    let error = fails(
        place.runner(&[("V1__a.sql", script)])?,
        ErrorKind::InvalidMigration,
    )
    .await?;
    assert!(hints(&error, "no-transaction"), "{error:?}");
    let location = error.location().ok_or("no location")?;
    assert_eq!(
        (location.line, location.column),
        (Some(3), Some(1)),
        "{error:?}"
    );
    assert!(place.is_empty().await?);
    Ok(())
}

async fn rows_from_and_for_a_client_are_refused(place: &Place) -> Result<(), TestError> {
    for script in [
        "CREATE TABLE a (n int);\nCOPY a (n) FROM stdin;\n1\n\\.\n",
        "CREATE TABLE a (n int);\nCOPY a TO STDOUT;",
    ] {
        let error = fails(
            place.runner(&[("V1__a.sql", script)])?,
            ErrorKind::InvalidMigration,
        )
        .await?;
        assert_eq!(line_of(&error), Some(2), "{error:?}");
        let advice = error.hint().unwrap_or(error.message());
        assert!(
            advice.contains("use INSERT") || advice.contains("take the statement out"),
            "{error:?}"
        );
    }
    assert!(place.is_empty().await?);
    Ok(())
}

async fn a_mistake_is_told_with_its_place(place: &Place) -> Result<(), TestError> {
    let script = "CREATE TABLE a (n text);\n-- äöü\nINSERT INTO a VALUES ('ü');\n\n  INSERT INTO a\n    VALUES ('größer'), (falsch);\nSELECT 1;";
    for head in ["", "-- lockage: no-transaction\n"] {
        let error = fails(
            place.runner(&[("V1__a.sql", &format!("{head}{script}"))])?,
            ErrorKind::MigrationFailed,
        )
        .await?;
        let location = error.location().ok_or("no location")?;
        let line = 6 + head.lines().count() as u32;
        assert_eq!(
            (location.line, location.column),
            (Some(line), Some(25)),
            "{error:?}"
        );
        assert_eq!(
            location.line_text.as_deref(),
            Some("    VALUES ('größer'), (falsch)")
        );
        assert!(
            error.context().any(|pair| pair == ("sqlstate", "42703")),
            "{error:?}"
        );
        place
            .execute("DROP TABLE IF EXISTS a, lockage_history, lockage_journal")
            .await?;
    }
    Ok(())
}

async fn a_mistake_in_syntax_runs_nothing(place: &Place) -> Result<(), TestError> {
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
        let error = fails(
            place.runner(&[("V1__a.sql", script)])?,
            ErrorKind::MigrationFailed,
        )
        .await?;
        let location = error.location().ok_or("no location")?;
        assert_eq!(
            (location.line, location.column),
            (Some(line), Some(column)),
            "{error:?}"
        );
        assert!(
            error.context().any(|pair| pair == ("sqlstate", "42601")),
            "{error:?}"
        );
        assert!(
            place
                .texts("SELECT 1 FROM pg_tables WHERE tablename = 'a'")
                .await?
                .is_empty()
        );
    }
    Ok(())
}

async fn a_mistake_inside_a_function_names_its_query(place: &Place) -> Result<(), TestError> {
    let script = "SELECT 1;\nDO $$ BEGIN\n  PERFORM falsch FROM pg_class;\nEND $$;";
    let error = fails(
        place.runner(&[("V1__a.sql", script)])?,
        ErrorKind::MigrationFailed,
    )
    .await?;
    assert_eq!(line_of(&error), Some(2), "{error:?}");
    assert!(
        error
            .context()
            .any(|(key, value)| key == "query" && value.contains("falsch")),
        "{error:?}"
    );
    assert!(
        error
            .context()
            .any(|(key, value)| key == "context" && value.contains("line 2")),
        "{error:?}"
    );
    Ok(())
}

async fn a_constraint_that_is_checked_at_the_end_fails_the_whole(
    place: &Place,
) -> Result<(), TestError> {
    let script = "CREATE TABLE a (n int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO a VALUES (1), (1);";
    let error = fails(
        place.runner(&[("V1__a.sql", script)])?,
        ErrorKind::MigrationFailed,
    )
    .await?;
    assert!(
        error
            .context()
            .any(|(key, value)| key == "detail" && value.contains("(n)=(1)")),
        "{error:?}"
    );
    assert_eq!(
        place.text("SELECT count(*) FROM lockage_history").await?,
        "0"
    );
    Ok(())
}

async fn notices_are_told(place: &Place) -> Result<(), TestError> {
    let script = "DO $$ BEGIN RAISE NOTICE 'half'; RAISE WARNING 'careful'; END $$;";
    let bare = format!("-- lockage: no-transaction\n{script}");
    for files in [
        &[("V1__a.sql", script)][..],
        &[("V1__a.sql", script), ("V2__b.sql", &*bare)],
    ] {
        let heard = Heard::default();
        place.runner(files)?.observer(heard.clone()).up().await?;
        let mut words = heard.words();
        words.sort();
        assert_eq!(words, ["1/1", "NOTICE: half", "WARNING: careful"]);
    }
    Ok(())
}

async fn a_statement_that_takes_too_long_is_ended(place: &Place) -> Result<(), TestError> {
    let script = "-- lockage: statement-timeout=100ms\nSELECT 1;\nSELECT pg_sleep(600)";
    let error = fails(
        place.runner(&[("V1__a.sql", script)])?,
        ErrorKind::MigrationFailed,
    )
    .await?;
    assert!(error.message().contains("statement timeout"), "{error}");
    assert!(hints(&error, "--statement-timeout"), "{error:?}");
    assert_eq!(line_of(&error), Some(3), "{error:?}");
    Ok(())
}

async fn a_busy_table_is_waited_for_in_short_tries(place: &Place) -> Result<(), TestError> {
    place.execute("CREATE TABLE a (n int)").await?;
    let one = (
        "V1__a.sql",
        "-- lockage: ddl-lock-timeout=50ms\nALTER TABLE a ADD COLUMN v1 int",
    );
    let two = (
        "V2__b.sql",
        "-- lockage: no-transaction\n-- lockage: ddl-lock-timeout=50ms\nALTER TABLE a ADD COLUMN v2 int",
    );
    for files in [&[one][..], &[one, two]] {
        let user = place.client().await?;
        user.batch_execute("BEGIN; SELECT * FROM a").await?;
        let heard = Heard::default();
        let runner = place.runner(files)?.observer(heard.clone());
        let running = tokio::spawn(async move { runner.up().await });
        while !heard.words().iter().any(|word| word.starts_with("retry 3")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Between two tries the table is free for everybody.
        place
            .execute("SET statement_timeout = '30s'; INSERT INTO a DEFAULT VALUES")
            .await?;
        user.batch_execute("COMMIT").await?;
        running.await??;
    }
    let columns = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'a'::regclass AND attname IN ('v1', 'v2')";
    assert_eq!(place.text(columns).await?, "2");
    Ok(())
}

async fn backslashes_and_quotes_survive(place: &Place) -> Result<(), TestError> {
    let script = r"CREATE TABLE a AS SELECT 'it''s \ here' AS t, E'x\\y\'z' AS e, $b$';\$b$ AS d; -- the end";
    place
        .runner(&[("V1__it's_a_'name'.sql", script)])?
        .up()
        .await?;
    assert_eq!(
        place.text("SELECT t || e || d FROM a").await?,
        r"it's \ herex\y'z';\"
    );
    assert_eq!(
        place.text("SELECT name FROM lockage_history").await?,
        "it's a 'name'"
    );
    Ok(())
}

async fn a_server_that_reads_backslashes_is_told_not_to(place: &Place) -> Result<(), TestError> {
    place
        .execute(&format!(
            "ALTER DATABASE {} SET standard_conforming_strings = off",
            place.name()
        ))
        .await?;
    let script = r"CREATE TABLE a AS SELECT 'a\' AS t; INSERT INTO a VALUES ('b\')";
    let more = r"INSERT INTO a VALUES ('c\')";
    place
        .runner(&[("V1__a.sql", script), ("V2__a.sql", more)])?
        .up()
        .await?;
    assert_eq!(
        place.texts("SELECT t FROM a ORDER BY 1").await?,
        [r"a\", r"b\", r"c\"]
    );
    Ok(())
}

async fn unqualified_names_lead_to_the_schema_of_the_options(place: &Place) -> Result<(), TestError> {
    place.execute("CREATE TABLE shared (n int)").await?;
    let files = [
        ("V1__a.sql", "CREATE TABLE a AS SELECT * FROM shared"),
        ("V2__b.sql", "SET search_path = public; CREATE TABLE b ()"),
        ("V3__c.sql", "CREATE TABLE c ()"),
    ];
    let runner = place
        .runner(&files)?
        .connect_options(|options| options.schema = Some("My app".into()));
    runner.up().await?;
    assert_eq!(runner.up().await?.outcome, Outcome::UpToDate);
    let tables = place
        .texts("SELECT tablename FROM pg_tables WHERE schemaname = 'My app' ORDER BY 1")
        .await?;
    assert_eq!(tables, ["a", "c", "lockage_history"]);
    Ok(())
}

/// Longer than what is sent at once.
async fn a_long_script_is_one_transaction_all_the_same(place: &Place) -> Result<(), TestError> {
    let row = format!("INSERT INTO a VALUES ('{}');\n", "ä".repeat(50_000));
    let good = format!("CREATE TABLE a (t text);\n{}", row.repeat(40));
    let bad = format!("{good}INSERT INTO a VALUES ('ä', 1);\n");
    let error = fails(
        place.runner(&[("V1__a.sql", &bad)])?,
        ErrorKind::MigrationFailed,
    )
    .await?;
    let location = error.location().ok_or("no location")?;
    assert_eq!(
        (location.line, location.column),
        (Some(42), Some(28)),
        "{error:?}"
    );
    assert!(
        place
            .texts("SELECT 1 FROM pg_tables WHERE tablename = 'a'")
            .await?
            .is_empty()
    );
    place.runner(&[("V1__a.sql", &good)])?.up().await?;
    assert_eq!(place.text("SELECT count(*) FROM a").await?, "40");
    assert_eq!(
        place
            .text("SELECT statements_done FROM lockage_history")
            .await?,
        "41"
    );
    Ok(())
}
