//! No migration sees what another left in its session.

use std::fmt::Write;
use std::time::{Duration, Instant};

use lockage_core::{ErrorKind, PlanOptions, Report, RunError};
use lockage_testkit::TestError;
use tokio_postgres::Client;

use crate::error_checks::{error_line, error_of, hint_contains, script_error};
use crate::migrations::no_transaction;
use crate::sql_client::first_column;
use crate::test_database::TestDatabase;

crate::tests!(
    temporary_table_does_not_shadow_a_table_of_the_next_script,
    session_objects_of_a_script_end_with_it,
    advisory_locks_of_a_script_end_with_it,
    random_scripts_see_nothing_of_each_other,
    parser_settings_apply_to_the_next_statement,
    history_is_written_in_utf8_after_another_encoding,
    resuming_does_not_use_a_table_in_place_of_a_temporary_one,
    resuming_without_lost_session_state_is_refused,
    resuming_is_allowed_where_session_state_is_not_needed,
);

async fn temporary_table_does_not_shadow_a_table_of_the_next_script(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let files = [
        (
            "V1__a.sql",
            "create temp table users as select 1 as id; create table public.users(id int);",
        ),
        ("V2__b.sql", "alter table users add column email text;"),
    ];
    database.runner(&files)?.up().await?;
    let columns =
        "SELECT attname FROM pg_attribute WHERE attrelid = 'public.users'::regclass AND attnum > 0";
    assert_eq!(database.texts(columns).await?, ["id", "email"]);
    Ok(())
}

async fn session_objects_of_a_script_end_with_it(database: &TestDatabase) -> Result<(), TestError> {
    let leave = "CREATE SEQUENCE IF NOT EXISTS s; SELECT nextval('s'); PREPARE p AS SELECT 1;
                 DECLARE c CURSOR WITH HOLD FOR SELECT 1; LISTEN l; SET work_mem = '7MB'; SELECT setseed(0.5);";
    let read = "CREATE TABLE seen AS SELECT (SELECT count(*) FROM pg_prepared_statements)
                + (SELECT count(*) FROM pg_cursors WHERE is_holdable) + (SELECT count(*) FROM pg_listening_channels()) AS objects,
                current_setting('work_mem') AS work_mem";
    let autocommit = no_transaction(leave);
    let files = [
        ("V1__a.sql", leave),
        ("V2__b.sql", &*autocommit),
        ("V3__c.sql", leave),
        ("V4__d.sql", read),
        ("V5__e.sql", "SELECT lastval()"),
    ];
    let error = error_of(
        database.runner(&files)?.up().await,
        ErrorKind::MigrationFailed,
    )?;
    assert!(
        error.message().contains("lastval is not yet defined"),
        "{error}"
    );
    assert_eq!(
        database
            .text("SELECT objects || work_mem FROM seen")
            .await?,
        "04MB"
    );
    Ok(())
}

async fn advisory_locks_of_a_script_end_with_it(database: &TestDatabase) -> Result<(), TestError> {
    let take = "SELECT pg_advisory_lock(-5), pg_advisory_lock(-5), pg_try_advisory_lock(-1, -2), pg_advisory_lock_shared(7),
                pg_try_advisory_lock_shared(3, -2147483648)";
    let read = "CREATE TABLE seen AS SELECT classid::bigint AS c, objid::bigint AS o FROM pg_locks
                WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
    let report = database
        .runner(&[("V1__a.sql", take), ("V2__b.sql", read)])?
        .up()
        .await?;
    assert_eq!(
        database.texts("SELECT c || ' ' || o FROM seen").await?,
        ["0 4006"]
    );
    assert_eq!(report.applied.len(), 2);
    Ok(())
}

/// Statements that leave something in their session.
const LEAVE: &[&str] = &[
    "SET work_mem = '7MB'",
    "SET app.who = 'x'",
    "SELECT set_config('app.who', 'y', false)",
    "SET standard_conforming_strings = off",
    "SET DateStyle = 'German'",
    "SET TIME ZONE 'Asia/Tokyo'",
    "SET default_transaction_isolation = 'serializable'",
    "SET default_transaction_read_only = on",
    "SET transform_null_equals = on",
    "SET search_path = other, public",
    "CREATE TEMP TABLE users (id int)",
    "CREATE TEMPORARY SEQUENCE numbers",
    "CREATE TEMP VIEW seen AS SELECT 1 AS n",
    "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "PREPARE p AS SELECT 1",
    "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    "LISTEN l",
    "SELECT nextval('public.numbers')",
    "SELECT setseed(0.5)",
    "SELECT pg_advisory_lock(77)",
    "SELECT pg_advisory_lock_shared(7, 8)",
];

/// Ends a script that has the role of another user.
const ROLES: &[&str] = &[
    "SET ROLE pg_monitor",
    "SET SESSION AUTHORIZATION pg_monitor",
];

/// Expressions that depend on the session; `{seeded}` is the first value of `random()` after `setseed(0.5)`.
const EXPRESSIONS: &[&str] = &[
    "current_setting('work_mem')",
    "nullif(current_setting('app.who', true), '')",
    r"'a\\b'",
    "'2020-02-01'::date::text",
    "current_setting('TimeZone')",
    "current_setting('transaction_isolation')",
    "((NULL = NULL) IS NULL)::text",
    "current_setting('search_path')",
    "current_user",
    "to_regclass('pg_temp.users')::text",
    "to_regprocedure('pg_temp.f()')::text",
    "(SELECT count(*)::text FROM pg_prepared_statements)",
    "(SELECT count(*)::text FROM pg_cursors WHERE is_holdable)",
    "(SELECT count(*)::text FROM pg_listening_channels())",
    "(SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())",
    "(random()::text = '{seeded}')::text",
];

/// Statements that use tables and functions by names that temporary ones can shadow.
const USES: &[&str] = &[
    "ALTER TABLE users ADD COLUMN c{script} int",
    "INSERT INTO users DEFAULT VALUES",
    "INSERT INTO public.log SELECT {script}, 'seen', count(*)::text FROM seen",
    "DO $$ BEGIN INSERT INTO public.log SELECT {script}, 'lastval', lastval()::text; \
     EXCEPTION WHEN object_not_in_prerequisite_state THEN INSERT INTO public.log VALUES ({script}, 'lastval', 'none'); END $$",
];

const SETUP: &str = "DROP SCHEMA IF EXISTS public, other CASCADE; DROP TABLE IF EXISTS lockage_history; \
    CREATE SCHEMA public; CREATE SCHEMA other; \
    GRANT ALL ON SCHEMA public, other TO PUBLIC; CREATE SEQUENCE public.numbers; CREATE TABLE public.users (id int); \
    CREATE TABLE public.seen (n int); CREATE TABLE public.log (script int, what text, value text); CREATE TABLE public.kill (n int)";

/// Everything that scripts write.
const RESULT: &str = "SELECT script || ' ' || what || ' ' || coalesce(value, 'null') FROM public.log \
    UNION ALL SELECT 'column ' || attname FROM pg_attribute WHERE attrelid = 'public.users'::regclass AND attnum > 0 \
    UNION ALL SELECT 'rows ' || count(*) FROM public.users ORDER BY 1";

/// Returns random scripts. The script with the number `killed` ends its session if the table `kill` has a row.
fn random_scripts(random: &mut fastrand::Rng, seeded: &str) -> Vec<(String, String)> {
    let count = random.usize(3..6);
    let killed = random.usize(0..count);
    (0..count)
        .map(|number| {
            let mut script = String::new();
            if number == killed {
                script.push_str("SELECT pg_terminate_backend(pg_backend_pid()) FROM public.kill;\n");
            }
            let mut left: Vec<&str> = Vec::new();
            for _ in 0..random.usize(1..6) {
                let statement = match random.usize(0..5) {
                    0 | 1 => {
                        let statement = LEAVE[random.usize(..LEAVE.len())];
                        // A second one of a kind can fail, in every kind of run.
                        if left.contains(&statement) {
                            continue;
                        }
                        left.push(statement);
                        statement.to_owned()
                    }
                    2 => USES[random.usize(..USES.len())].to_owned(),
                    _ => {
                        let index = random.usize(..EXPRESSIONS.len());
                        let expression = EXPRESSIONS[index].replace("{seeded}", seeded);
                        format!(
                            "INSERT INTO public.log SELECT {{script}}, 'expression {index}', {expression}"
                        )
                    }
                };
                let column = format!("c{number}_{}", script.len());
                let statement = statement
                    .replace("c{script}", &column)
                    .replace("{script}", &number.to_string());
                let _ = writeln!(script, "{statement};");
            }
            if random.usize(0..6) == 0 {
                let _ = writeln!(script, "{};", ROLES[random.usize(..ROLES.len())]);
            }
            let script = match random.usize(0..3) {
                // A transaction that such a script begins can only read.
                0 if !script.contains("read_only") => no_transaction(&script),
                _ => script,
            };
            (format!("V{}__a.sql", number + 1), script)
        })
        .collect()
}

/// How the scripts run.
#[derive(Debug, Clone, Copy)]
enum Runs {
    One,
    OneForEach,
    Killed,
}

async fn run_scripts(
    database: &TestDatabase,
    client: &Client,
    files: &[(String, String)],
    runs: Runs,
) -> Result<Vec<String>, TestError> {
    client.batch_execute(SETUP).await?;
    let runner = || crate::migrations::runner(&database.url(), files);
    match runs {
        Runs::One => {}
        Runs::OneForEach => {
            for _ in files {
                let mut one = PlanOptions::default();
                one.steps = Some(1);
                runner()?.plan_options(one).up().await?;
            }
        }
        Runs::Killed => {
            client
                .batch_execute("INSERT INTO public.kill VALUES (1)")
                .await?;
            error_of(runner()?.up().await, ErrorKind::SessionLost)?;
            client.batch_execute("DELETE FROM public.kill").await?;
        }
    }
    runner()?.up().await?;
    first_column(client, RESULT).await
}

/// One run of many migrations leaves the same database as one run for each migration, and as a run that is killed and resumed.
#[expect(
    clippy::disallowed_methods,
    reason = "a test program reads its environment"
)]
async fn random_scripts_see_nothing_of_each_other(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let client = database.client().await?;
    client.batch_execute("SELECT setseed(0.5)").await?;
    let seeded = first_column(&client, "SELECT random()::text")
        .await?
        .remove(0);
    let seed: u64 = std::env::var("LOCKAGE_TEST_SCRIPT_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    let started_at = Instant::now();
    let mut cases = 0;
    while cases < 300 && started_at.elapsed() < Duration::from_secs(10) {
        let case_seed = seed + cases;
        let files = random_scripts(&mut fastrand::Rng::with_seed(case_seed), &seeded);
        let mut results = Vec::new();
        for runs in [Runs::One, Runs::OneForEach, Runs::Killed] {
            match run_scripts(database, &client, &files, runs).await {
                Ok(result) => results.push(result),
                Err(error) => {
                    return Err(format!(
                        "LOCKAGE_TEST_SCRIPT_SEED={case_seed}, {runs:?}: {error:?}\n{files:#?}"
                    )
                    .into());
                }
            }
        }
        assert!(
            results[0] == results[1] && results[0] == results[2],
            "LOCKAGE_TEST_SCRIPT_SEED={case_seed}\n{results:#?}\n{files:#?}"
        );
        cases += 1;
    }
    Ok(())
}

async fn parser_settings_apply_to_the_next_statement(
    database: &TestDatabase,
) -> Result<(), TestError> {
    for set in [
        "set standard_conforming_strings = off;",
        "SET LOCAL standard_conforming_strings TO off;",
        "select set_config('standard_conforming_strings', 'off', false);",
        "select set_config('standard_' || 'conforming_strings', 'off', false);",
        "DO $$ BEGIN SET standard_conforming_strings = off; END $$;",
        "SET standard_conforming_strings = off; SAVEPOINT s; SET standard_conforming_strings = on; ROLLBACK TO s;",
    ] {
        database
            .execute("DROP TABLE IF EXISTS t, lockage_history")
            .await?;
        let script = format!("{set} create table t as select 'a\\\\b' as x;");
        database.runner(&[("V1__a.sql", &*script)])?.up().await?;
        assert_eq!(database.text("SELECT x FROM t").await?, r"a\b", "{set}");
    }
    database.execute("DROP TABLE t, lockage_history").await?;
    let script = "set backslash_quote = on; set standard_conforming_strings = off; create table t as select 'it\\'s' as x;";
    // The splitter reads texts without escapes.
    assert!(
        database
            .runner(&[("V1__a.sql", script)])?
            .up()
            .await
            .is_err()
    );
    Ok(())
}

async fn history_is_written_in_utf8_after_another_encoding(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let files = [(
        "V1__größe.sql",
        "SET client_encoding = 'LATIN1'; CREATE TABLE t AS SELECT 'ö' AS x",
    )];
    database.runner(&files)?.up().await?;
    // As psql: the bytes of the file are read as LATIN1.
    assert_eq!(database.text("SELECT x FROM t").await?, "Ã¶");
    assert_eq!(
        database.text("SELECT name FROM lockage_history").await?,
        "größe"
    );
    Ok(())
}

/// Runs a script outside a transaction whose second statement fails, corrects that statement, and runs the script again.
async fn correct_and_run(
    database: &TestDatabase,
    first: &str,
    rest: &str,
) -> Result<Result<Report, RunError>, TestError> {
    database
        .execute(
            "DROP TABLE IF EXISTS lockage_history, lockage_journal, res; CREATE TABLE res (a text)",
        )
        .await?;
    let script = |second: &str| no_transaction(&format!("{first};\n{second};\n{rest};"));
    script_error(
        database,
        &script("SELECT nope()"),
        ErrorKind::MigrationFailed,
    )
    .await?;
    let corrected = script("SELECT 1");
    Ok(database.runner(&[("V1__a.sql", &*corrected)])?.up().await)
}

async fn resuming_does_not_use_a_table_in_place_of_a_temporary_one(
    database: &TestDatabase,
) -> Result<(), TestError> {
    database
        .execute("CREATE TABLE t AS SELECT n::text AS a FROM generate_series(1, 3) n")
        .await?;
    let outcome = correct_and_run(
        database,
        "create temporary table t as select 'x' as a",
        "insert into res select a from t",
    );
    let error = error_of(outcome.await?, ErrorKind::Diverged)?;
    assert!(
        error.message().contains("the temporary object `t`"),
        "{error}"
    );
    assert!(hint_contains(&error, "lockage repair"), "{error:?}");
    assert_eq!(error_line(&error), Some(2), "{error:?}");
    assert!(database.texts("SELECT a FROM res").await?.is_empty());
    Ok(())
}

async fn resuming_without_lost_session_state_is_refused(
    database: &TestDatabase,
) -> Result<(), TestError> {
    database
        .execute("CREATE TABLE t (id serial, a text); CREATE SEQUENCE s")
        .await?;
    for (first, rest, lost) in [
        (
            "INSERT INTO t (a) VALUES ('x')",
            "INSERT INTO res SELECT lastval()",
            "lastval()",
        ),
        (
            "SELECT nextval('s')",
            "INSERT INTO res SELECT currval('s')",
            "currval()",
        ),
        (
            "PREPARE p AS INSERT INTO res VALUES ('x')",
            "EXECUTE p",
            "prepared statement `p`",
        ),
        (
            "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
            "FETCH 1 FROM c",
            "cursor `c`",
        ),
        (
            "SELECT setseed(0.5)",
            "INSERT INTO res SELECT random()",
            "seed of random()",
        ),
        (
            "SELECT pg_advisory_lock(7)",
            "INSERT INTO res VALUES ('x')",
            "advisory lock",
        ),
        (
            "LISTEN l",
            "INSERT INTO res SELECT pg_listening_channels()",
            "channel `l`",
        ),
        (
            "CREATE TEMP TABLE u AS SELECT 1 AS n",
            "DO $$ BEGIN INSERT INTO res SELECT n FROM u; END $$",
            "temporary object `u`",
        ),
    ] {
        let outcome = correct_and_run(database, first, rest).await?;
        let error = error_of(outcome, ErrorKind::Diverged)?;
        assert!(error.message().contains(lost), "{first}: {error}");
        assert!(
            database.texts("SELECT a FROM res").await?.is_empty(),
            "{first}"
        );
    }
    Ok(())
}

async fn resuming_is_allowed_where_session_state_is_not_needed(
    database: &TestDatabase,
) -> Result<(), TestError> {
    database
        .execute("CREATE TABLE t (id serial, a text)")
        .await?;
    for (first, rest) in [
        (
            "INSERT INTO t (a) VALUES ('x')",
            "INSERT INTO res VALUES ('ok')",
        ),
        (
            "CREATE TEMP TABLE u (n int)",
            "INSERT INTO res VALUES ('ok')",
        ),
        ("PREPARE p AS SELECT 1", "INSERT INTO res VALUES ('ok')"),
        (
            "SET app.who = 'ok'",
            "INSERT INTO res SELECT current_setting('app.who')",
        ),
    ] {
        correct_and_run(database, first, rest).await??;
        assert_eq!(
            database.texts("SELECT a FROM res").await?,
            ["ok"],
            "{first}"
        );
    }
    Ok(())
}
