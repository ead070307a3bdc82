//! Scripts without a transaction of ours: what they begin, end, set and give up themselves.

use std::time::Duration;

use lockage_core::{ErrorKind, Interrupt};
use lockage_testkit::TestError;

use crate::place::{Place, fails, line_of};

crate::tests!(
    a_transaction_of_the_scripts_own_may_say_what_kind_it_is,
    what_goes_back_to_a_savepoint_is_journaled_all_the_same,
    a_transaction_that_fails_is_begun_again,
    a_transaction_that_cannot_go_on_is_taken_back,
    what_was_prepared_is_not_ended_by_a_commit_of_the_scripts_own,
    statements_that_no_run_survives_are_refused_before_anything_runs,
    a_script_that_resets_everything_leaves_the_session_as_we_need_it,
    a_lock_that_a_script_gives_up_is_noticed_before_the_next_statement,
    a_request_to_cancel_leaves_no_statement_in_doubt,
);

fn bare(script: &str) -> String {
    format!("-- lockage: no-transaction\n{script}")
}

async fn a_transaction_of_the_scripts_own_may_say_what_kind_it_is(
    place: &Place,
) -> Result<(), TestError> {
    let (owner, _) = place.role("").await?;
    place
        .execute(&format!("CREATE SCHEMA app AUTHORIZATION {owner}"))
        .await?;
    let script = bare(&format!(
        "CREATE TABLE a (n int, kind text);
         BEGIN;
         SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;
         INSERT INTO a SELECT 1, current_setting('transaction_isolation');
         SET LOCAL ROLE {owner};
         CREATE TABLE app.b (n int);
         COMMIT;
         CREATE INDEX CONCURRENTLY i ON a (n);
         START TRANSACTION ISOLATION LEVEL REPEATABLE READ;
         SET ROLE {owner};
         INSERT INTO app.b VALUES (1);
         END;
         INSERT INTO app.b VALUES (2);
         INSERT INTO later VALUES (1)"
    ));
    let files = [("V1__a.sql", &*script)];
    let error = fails(place.runner(&files)?, ErrorKind::MigrationFailed).await?;
    assert!(
        error
            .context()
            .any(|(key, value)| key == "effect" && value.contains("13 of 14")),
        "{error:?}"
    );
    place
        .execute(&format!(
            "CREATE TABLE later (n int); GRANT INSERT ON later TO {owner}"
        ))
        .await?;
    place.runner(&files)?.up().await?;
    assert_eq!(place.texts("SELECT kind FROM a").await?, ["serializable"]);
    assert_eq!(
        place.texts("SELECT n FROM app.b ORDER BY 1").await?,
        ["1", "2"]
    );
    assert_eq!(
        place
            .text("SELECT tableowner FROM pg_tables WHERE tablename = 'b'")
            .await?,
        owner
    );
    assert_eq!(place.text("SELECT count(*) FROM later").await?, "1");
    place.drop_role(&owner).await
}

async fn what_goes_back_to_a_savepoint_is_journaled_all_the_same(
    place: &Place,
) -> Result<(), TestError> {
    let script = bare(
        "CREATE TABLE a (n int); BEGIN; INSERT INTO a VALUES (1); SAVEPOINT s; INSERT INTO a VALUES (2); ROLLBACK TO s;
         INSERT INTO a VALUES (3); RELEASE s; COMMIT; BEGIN; INSERT INTO a VALUES (4); ROLLBACK; INSERT INTO later VALUES (1)",
    );
    let files = [("V1__a.sql", &*script)];
    fails(place.runner(&files)?, ErrorKind::MigrationFailed).await?;
    let journaled = "SELECT count(*) FROM lockage_journal WHERE state = 'done'";
    assert_eq!(place.text(journaled).await?, "9");
    place.execute("CREATE TABLE later (n int)").await?;
    place.runner(&files)?.up().await?;
    assert_eq!(place.texts("SELECT n FROM a ORDER BY 1").await?, ["1", "3"]);
    Ok(())
}

async fn a_transaction_that_fails_is_begun_again(place: &Place) -> Result<(), TestError> {
    let script = bare(
        "CREATE TABLE a (n int); BEGIN; SET LOCAL search_path = public; INSERT INTO a VALUES (1); INSERT INTO later VALUES (1); COMMIT",
    );
    let files = [("V1__a.sql", &*script)];
    let error = fails(place.runner(&files)?, ErrorKind::MigrationFailed).await?;
    assert!(
        error
            .context()
            .any(|(key, value)| key == "effect" && value.contains("1 of 6")),
        "{error:?}"
    );
    assert_eq!(place.text("SELECT count(*) FROM a").await?, "0");
    place.execute("CREATE TABLE later (n int)").await?;
    place.runner(&files)?.up().await?;
    assert_eq!(place.text("SELECT count(*) FROM a").await?, "1");
    Ok(())
}

/// The server has nothing prepared, and in most configurations cannot: what it says shows how it was asked.
async fn what_was_prepared_is_not_ended_by_a_commit_of_the_scripts_own(
    place: &Place,
) -> Result<(), TestError> {
    let script = bare("CREATE TABLE a (n int);\nCOMMIT PREPARED 'x'");
    let error = fails(
        place.runner(&[("V1__a.sql", &script)])?,
        ErrorKind::MigrationFailed,
    )
    .await?;
    assert!(error.message().contains("\"x\" does not exist"), "{error}");
    assert_eq!(
        place.texts("SELECT statement FROM lockage_journal").await?,
        ["0"]
    );
    let script = bare("BEGIN;\nCREATE TABLE b (n int);\nROLLBACK PREPARED 'x';\nCOMMIT");
    place
        .execute("DROP TABLE a, lockage_history, lockage_journal")
        .await?;
    let error = fails(
        place.runner(&[("V2__b.sql", &script)])?,
        ErrorKind::MigrationFailed,
    )
    .await?;
    assert_eq!(line_of(&error), Some(4), "{error:?}");
    assert!(
        place
            .texts("SELECT 1 FROM pg_tables WHERE tablename = 'b'")
            .await?
            .is_empty()
    );
    Ok(())
}

async fn statements_that_no_run_survives_are_refused_before_anything_runs(
    place: &Place,
) -> Result<(), TestError> {
    for (script, part) in [
        ("CREATE TABLE a (n int);\nDISCARD ALL", "gives up the lock"),
        (
            "CREATE TABLE a (n int);\nPREPARE TRANSACTION 'x'",
            "PREPARE",
        ),
    ] {
        for script in [script.to_owned(), bare(script)] {
            let error = fails(
                place.runner(&[("V1__a.sql", &script)])?,
                ErrorKind::InvalidMigration,
            )
            .await?;
            assert!(error.message().contains(part), "{error}");
            assert!(
                error
                    .hint()
                    .is_some_and(|hint| !hint.contains("no-transaction")),
                "{error:?}"
            );
            assert!(line_of(&error) >= Some(2), "{error:?}");
        }
    }
    assert!(place.is_empty().await?);
    Ok(())
}

async fn a_script_that_resets_everything_leaves_the_session_as_we_need_it(
    place: &Place,
) -> Result<(), TestError> {
    let look = |table: &str| {
        format!(
            "CREATE TABLE {table} AS SELECT current_setting('work_mem') || ' ' || current_setting('tcp_keepalives_interval') AS s"
        )
    };
    let script = bare(&format!(
        "SET work_mem = '7MB';\n{};\nRESET ALL;\n{};\nBEGIN;\nRESET ALL;\n{};\nCOMMIT",
        look("before"),
        look("behind"),
        look("within"),
    ));
    place.runner(&[("V1__a.sql", &script)])?.up().await?;
    assert_eq!(
        place
            .texts(
                "SELECT s FROM before UNION ALL SELECT s FROM behind UNION ALL SELECT s FROM within"
            )
            .await?,
        ["7MB 2", "4MB 2", "4MB 2"]
    );
    Ok(())
}

async fn a_lock_that_a_script_gives_up_is_noticed_before_the_next_statement(
    place: &Place,
) -> Result<(), TestError> {
    let script = bare(
        "CREATE TABLE a (n int);\nDO $$ BEGIN PERFORM pg_advisory_unlock_all(); END $$;\nCREATE TABLE b (n int)",
    );
    let error = fails(
        place.runner(&[("V1__a.sql", &script)])?,
        ErrorKind::LockLost,
    )
    .await?;
    assert!(error.message().contains("no longer holds"), "{error}");
    assert!(
        place
            .texts("SELECT 1 FROM pg_tables WHERE tablename = 'b'")
            .await?
            .is_empty()
    );
    Ok(())
}

/// Requests to cancel come at every moment, between a statement and the row that says that it is done too.
async fn a_request_to_cancel_leaves_no_statement_in_doubt(place: &Place) -> Result<(), TestError> {
    const CALLS: usize = 40;
    place
        .execute(
            "CREATE TABLE seen (n int); CREATE PROCEDURE put(n int) LANGUAGE sql AS 'INSERT INTO seen VALUES (n)'",
        )
        .await?;
    let script = bare(
        &(1..=CALLS)
            .map(|n| format!("CALL put({n});\n"))
            .collect::<String>(),
    );
    let files = [("V1__a.sql", &*script)];
    let mut interrupted = 0;
    for round in 1..=60 {
        let interrupt = Interrupt::new();
        let runner = place.runner(&files)?.interrupt(interrupt.clone());
        let running = tokio::spawn(async move { runner.up().await });
        tokio::time::sleep(Duration::from_millis(2 * round)).await;
        interrupt.trigger();
        match running.await? {
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => interrupted += 1,
            Err(error) => return Err(error.into()),
        }
    }
    assert!(interrupted > 0, "no run was interrupted");
    place.runner(&files)?.up().await?;
    let expected: Vec<_> = (1..=CALLS).map(|n| n.to_string()).collect();
    assert_eq!(
        place.texts("SELECT n FROM seen ORDER BY n").await?,
        expected
    );
    Ok(())
}

/// What stops the run is no statement that failed on the server, which would have ended the transaction there.
async fn a_transaction_that_cannot_go_on_is_taken_back(place: &Place) -> Result<(), TestError> {
    let files = |end: &str, table: &str| {
        bare(&format!(
            "CREATE TABLE a (n int); BEGIN; INSERT INTO a VALUES (1); {end}; CREATE TABLE {table} (n int); COMMIT; INSERT INTO later VALUES (1)"
        ))
    };
    let (first, changed) = (files("ROLLBACK", "b"), files("SELECT 1", "c"));
    fails(
        place.runner(&[("V1__a.sql", &*first)])?,
        ErrorKind::MigrationFailed,
    )
    .await?;
    let error = fails(
        place.runner(&[("V1__a.sql", &*changed)])?,
        ErrorKind::Diverged,
    )
    .await?;
    assert!(error.message().contains("with another text"), "{error}");
    assert_eq!(place.text("SELECT count(*) FROM a").await?, "0");
    Ok(())
}
