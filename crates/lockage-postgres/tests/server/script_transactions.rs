//! Scripts that run outside Lockage's transaction: their own transactions, settings, and effects on the lock.

use std::time::Duration;

use lockage_core::{ErrorKind, Interrupt};
use lockage_testkit::TestError;

use crate::error_checks::{
    context_contains, error_line, expect_error, hint_contains, script_error,
};
use crate::migrations::{no_transaction, spawn_up};
use crate::test_database::TestDatabase;

crate::tests!(
    script_transaction_can_set_its_isolation_level,
    rollback_to_savepoint_is_journaled,
    failed_script_transaction_is_repeated,
    aborted_transaction_is_rolled_back,
    script_commit_keeps_prepared_transaction,
    session_breaking_statements_are_rejected_before_running,
    reset_all_restores_required_settings,
    lock_released_by_a_script_is_detected_before_the_next_statement,
    cancel_request_leaves_no_statement_in_doubt,
    statements_without_effect_outside_a_block_are_rejected,
    isolation_level_in_a_transactional_script_is_rejected,
);

async fn script_transaction_can_set_its_isolation_level(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let (owner, _) = database.create_role("").await?;
    database
        .execute(&format!("CREATE SCHEMA app AUTHORIZATION {owner}"))
        .await?;
    let script = no_transaction(&format!(
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
    let error = expect_error(database.runner(&files)?, ErrorKind::MigrationFailed).await?;
    assert!(context_contains(&error, "effect", "13 of 14"), "{error:?}");
    database
        .execute(&format!(
            "CREATE TABLE later (n int); GRANT INSERT ON later TO {owner}"
        ))
        .await?;
    database.runner(&files)?.up().await?;
    assert_eq!(
        database.texts("SELECT kind FROM a").await?,
        ["serializable"]
    );
    assert_eq!(
        database.texts("SELECT n FROM app.b ORDER BY 1").await?,
        ["1", "2"]
    );
    assert_eq!(
        database
            .text("SELECT tableowner FROM pg_tables WHERE tablename = 'b'")
            .await?,
        owner
    );
    assert_eq!(database.text("SELECT count(*) FROM later").await?, "1");
    database.drop_role(&owner).await
}

async fn rollback_to_savepoint_is_journaled(database: &TestDatabase) -> Result<(), TestError> {
    let script = no_transaction(
        "CREATE TABLE a (n int); BEGIN; INSERT INTO a VALUES (1); SAVEPOINT s; INSERT INTO a VALUES (2); ROLLBACK TO s;
         INSERT INTO a VALUES (3); RELEASE s; COMMIT; BEGIN; INSERT INTO a VALUES (4); ROLLBACK; INSERT INTO later VALUES (1)",
    );
    let files = [("V1__a.sql", &*script)];
    expect_error(database.runner(&files)?, ErrorKind::MigrationFailed).await?;
    let journaled = "SELECT count(*) FROM lockage_journal WHERE state = 'done'";
    assert_eq!(database.text(journaled).await?, "9");
    database.execute("CREATE TABLE later (n int)").await?;
    database.runner(&files)?.up().await?;
    assert_eq!(
        database.texts("SELECT n FROM a ORDER BY 1").await?,
        ["1", "3"]
    );
    Ok(())
}

async fn failed_script_transaction_is_repeated(database: &TestDatabase) -> Result<(), TestError> {
    let script = no_transaction(
        "CREATE TABLE a (n int); BEGIN; SET LOCAL search_path = public; INSERT INTO a VALUES (1); INSERT INTO later VALUES (1); COMMIT",
    );
    let files = [("V1__a.sql", &*script)];
    let error = expect_error(database.runner(&files)?, ErrorKind::MigrationFailed).await?;
    assert!(context_contains(&error, "effect", "1 of 6"), "{error:?}");
    assert_eq!(database.text("SELECT count(*) FROM a").await?, "0");
    database.execute("CREATE TABLE later (n int)").await?;
    database.runner(&files)?.up().await?;
    assert_eq!(database.text("SELECT count(*) FROM a").await?, "1");
    Ok(())
}

/// No transaction is prepared, which most server configurations forbid. The errors show how the statements were sent.
async fn script_commit_keeps_prepared_transaction(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let script = no_transaction("CREATE TABLE a (n int);\nCOMMIT PREPARED 'x'");
    let error = script_error(database, &script, ErrorKind::MigrationFailed).await?;
    assert!(error.message().contains("\"x\" does not exist"), "{error}");
    assert_eq!(
        database
            .texts("SELECT statement FROM lockage_journal")
            .await?,
        ["0"]
    );
    let script = no_transaction("BEGIN;\nCREATE TABLE b (n int);\nROLLBACK PREPARED 'x';\nCOMMIT");
    database
        .execute("DROP TABLE a, lockage_history, lockage_journal")
        .await?;
    let error = expect_error(
        database.runner(&[("V2__b.sql", &script)])?,
        ErrorKind::MigrationFailed,
    )
    .await?;
    assert_eq!(error_line(&error), Some(4), "{error:?}");
    assert!(!database.has_table("b").await?);
    Ok(())
}

async fn session_breaking_statements_are_rejected_before_running(
    database: &TestDatabase,
) -> Result<(), TestError> {
    for (script, part) in [
        ("CREATE TABLE a (n int);\nDISCARD ALL", "releases the lock"),
        (
            "CREATE TABLE a (n int);\nPREPARE TRANSACTION 'x'",
            "PREPARE",
        ),
    ] {
        for script in [script.to_owned(), no_transaction(script)] {
            let error = script_error(database, &script, ErrorKind::InvalidMigration).await?;
            assert!(error.message().contains(part), "{error}");
            assert!(
                error
                    .hint()
                    .is_some_and(|hint| !hint.contains("no-transaction")),
                "{error:?}"
            );
            assert!(error_line(&error) >= Some(2), "{error:?}");
        }
    }
    assert!(database.has_no_tables().await?);
    Ok(())
}

async fn reset_all_restores_required_settings(database: &TestDatabase) -> Result<(), TestError> {
    let read = |table: &str| {
        format!(
            "CREATE TABLE {table} AS SELECT current_setting('work_mem') || ' ' || current_setting('tcp_keepalives_interval') AS s"
        )
    };
    let script = no_transaction(&format!(
        "SET work_mem = '7MB';\n{};\nRESET ALL;\n{};\nBEGIN;\nRESET ALL;\n{};\nCOMMIT",
        read("before"),
        read("after"),
        read("inside"),
    ));
    database.runner(&[("V1__a.sql", &script)])?.up().await?;
    assert_eq!(
        database
            .texts(
                "SELECT s FROM before UNION ALL SELECT s FROM after UNION ALL SELECT s FROM inside"
            )
            .await?,
        ["7MB 2", "4MB 2", "4MB 2"]
    );
    Ok(())
}

async fn lock_released_by_a_script_is_detected_before_the_next_statement(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let script = no_transaction(
        "CREATE TABLE a (n int);\nDO $$ BEGIN PERFORM pg_advisory_unlock_all(); END $$;\nCREATE TABLE b (n int)",
    );
    let error = script_error(database, &script, ErrorKind::LockLost).await?;
    assert!(error.message().contains("no longer holds"), "{error}");
    assert!(!database.has_table("b").await?);
    Ok(())
}

/// The requests come at any moment, also between a statement and the update of its journal row.
async fn cancel_request_leaves_no_statement_in_doubt(
    database: &TestDatabase,
) -> Result<(), TestError> {
    const CALLS: usize = 40;
    database
        .execute(
            "CREATE TABLE seen (n int); CREATE PROCEDURE put(n int) LANGUAGE sql AS 'INSERT INTO seen VALUES (n)'",
        )
        .await?;
    let script = no_transaction(
        &(1..=CALLS)
            .map(|n| format!("CALL put({n});\n"))
            .collect::<String>(),
    );
    let files = [("V1__a.sql", &*script)];
    let mut interrupted = 0;
    for round in 1..=60 {
        let interrupt = Interrupt::new();
        let running = spawn_up(database.runner(&files)?.interrupt(interrupt.clone()));
        tokio::time::sleep(Duration::from_millis(2 * round)).await;
        interrupt.trigger();
        match running.await? {
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => interrupted += 1,
            Err(error) => return Err(error.into()),
        }
    }
    assert!(interrupted > 0, "no run was interrupted");
    database.runner(&files)?.up().await?;
    let expected: Vec<_> = (1..=CALLS).map(|n| n.to_string()).collect();
    assert_eq!(
        database.texts("SELECT n FROM seen ORDER BY n").await?,
        expected
    );
    Ok(())
}

/// The run stops because the script changed. No statement fails on the server, so the server does not abort the transaction.
async fn aborted_transaction_is_rolled_back(database: &TestDatabase) -> Result<(), TestError> {
    let script = |end: &str, table: &str| {
        no_transaction(&format!(
            "CREATE TABLE a (n int); BEGIN; INSERT INTO a VALUES (1); {end}; CREATE TABLE {table} (n int); COMMIT; INSERT INTO later VALUES (1)"
        ))
    };
    let (first, changed) = (script("ROLLBACK", "b"), script("SELECT 1", "c"));
    script_error(database, &first, ErrorKind::MigrationFailed).await?;
    let error = script_error(database, &changed, ErrorKind::Diverged).await?;
    assert!(error.message().contains("with a different text"), "{error}");
    assert_eq!(database.text("SELECT count(*) FROM a").await?, "0");
    Ok(())
}

async fn statements_without_effect_outside_a_block_are_rejected(
    database: &TestDatabase,
) -> Result<(), TestError> {
    for statement in [
        "LOCK TABLE t IN EXCLUSIVE MODE",
        "set local work_mem = '7MB'",
        "SET TRANSACTION READ ONLY",
        "SET CONSTRAINTS ALL DEFERRED",
        "DECLARE c CURSOR FOR SELECT 1",
    ] {
        let script = no_transaction(&format!(
            "CREATE TABLE t (n int);\nBEGIN;\n{statement};\nCOMMIT;\n{statement}"
        ));
        let error = script_error(database, &script, ErrorKind::InvalidMigration).await?;
        assert!(
            error.message().contains("outside a transaction block"),
            "{error}"
        );
        assert!(hint_contains(&error, "BEGIN"), "{error:?}");
        assert_eq!(error_line(&error), Some(6), "{error:?}");
        assert!(database.has_no_tables().await?, "{statement}");
    }
    Ok(())
}

async fn isolation_level_in_a_transactional_script_is_rejected(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let set = "set transaction isolation level serializable";
    let error = script_error(
        database,
        &format!("{set};\nCREATE TABLE t (n int)"),
        ErrorKind::InvalidMigration,
    )
    .await?;
    assert!(
        hint_contains(&error, "BEGIN ISOLATION LEVEL SERIALIZABLE"),
        "{error:?}"
    );
    assert!(database.has_no_tables().await?);
    // The hint works, and so does the statement in a block of the script.
    for begin in [
        "BEGIN ISOLATION LEVEL SERIALIZABLE".to_owned(),
        format!("BEGIN;\n{set}"),
    ] {
        let script = no_transaction(&format!(
            "{begin};\nCREATE TABLE t AS SELECT current_setting('transaction_isolation') AS level;\nCOMMIT"
        ));
        database
            .execute("DROP TABLE IF EXISTS t, lockage_history, lockage_journal")
            .await?;
        database.runner(&[("V1__a.sql", &*script)])?.up().await?;
        assert_eq!(database.text("SELECT level FROM t").await?, "serializable");
    }
    Ok(())
}
