//! The line to the server is cut at every single message of a run, before the server gets it and behind its answer. The next run must
//! bring each statement's effect about exactly once.

use lockage_mysql::lockage_core::{ErrorKind, LockStrategy, Outcome, Runner};
use lockage_testkit::Failure;

use crate::place::{Place, runner};
use crate::proxy::{Cut, Proxy};

crate::tests!(
    cut_at_any_message_every_statement_takes_effect_once,
    cut_at_any_message_with_the_lock_in_a_table,
);

/// Statements of every sort; run twice, or not at all, each of them leaves other traces than run once.
const FILES: &[(&str, &str)] = &[
    (
        "V1__tables.sql",
        "SET @old = @@foreign_key_checks, foreign_key_checks = 0;
         CREATE TABLE people (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50), n INT NOT NULL DEFAULT 0);
         INSERT INTO people (name) VALUES ('ann'), ('bob');
         CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(100));
         ALTER TABLE people ADD COLUMN email VARCHAR(100), ADD INDEX by_name (name);
         UPDATE people SET n = n + 1;
         ALTER TABLE people MODIFY n BIGINT NOT NULL DEFAULT 7;
         CREATE UNIQUE INDEX by_email ON people (email);
         SET foreign_key_checks = @old;",
    ),
    (
        "V2__routines.sql",
        "DELIMITER //
         CREATE TRIGGER people_insert AFTER INSERT ON people FOR EACH ROW
         BEGIN
           INSERT INTO log (what) VALUES (CONCAT('new ', NEW.name));
         END//
         CREATE PROCEDURE bump(IN by_how_much INT)
         BEGIN
           UPDATE people SET n = n + by_how_much;
           INSERT INTO log (what) VALUES ('bumped');
         END//
         DELIMITER ;
         INSERT INTO people (name) VALUES ('cid');
         CALL bump(10);
         CREATE VIEW names AS SELECT name FROM people;",
    ),
    (
        "V3__more.sql",
        "SET @last = (SELECT COUNT(*) FROM people), @word = 'it''s';
         CREATE TABLE copy AS SELECT n, name FROM people;
         INSERT INTO log (what) VALUES (CONCAT(@word, ' ', @last));
         RENAME TABLE copy TO kept;
         START TRANSACTION;
         INSERT INTO log (what) VALUES ('in a transaction');
         DELETE FROM kept WHERE name = 'bob';
         COMMIT;
         SET @ddl = 'ALTER TABLE kept ADD COLUMN x INT DEFAULT 5';
         PREPARE s FROM @ddl;
         EXECUTE s;
         DEALLOCATE PREPARE s;
         START TRANSACTION;
         INSERT INTO log (what) VALUES ('before an implicit commit');
         CREATE TABLE gone (n INT);
         INSERT INTO gone VALUES (1);
         TRUNCATE TABLE gone;
         INSERT INTO gone VALUES (2);
         ALTER TABLE gone RENAME TO emptied;
         CREATE TABLE dropped (n INT);
         DROP TABLE dropped;
         INSERT INTO log (what) VALUES ('the end');",
    ),
];

/// All that the statements leave, but for the numbers that a counter gave: an insert that was rolled back uses some up.
async fn traces(place: &Place) -> Result<Vec<String>, Failure> {
    let mut traces = Vec::new();
    for query in [
        "SELECT CONCAT_WS('|', name, n, email) FROM people ORDER BY id",
        "SELECT what FROM log ORDER BY id",
        "SELECT CONCAT_WS('|', n, name, x) FROM kept ORDER BY name",
        "SELECT n FROM emptied",
        "SELECT name FROM names ORDER BY name",
        "SELECT CONCAT_WS('|', TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IFNULL(COLUMN_DEFAULT, '')) FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME NOT LIKE 'lockage%' ORDER BY TABLE_NAME, ORDINAL_POSITION",
        "SELECT CONCAT_WS('|', TABLE_NAME, INDEX_NAME, COLUMN_NAME) FROM information_schema.STATISTICS \
         WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME NOT LIKE 'lockage%' ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX",
        "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()",
        "SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()",
        "SELECT CONCAT_WS('|', version, state, statements_done, statements_total) FROM lockage_history ORDER BY version",
        "SELECT COUNT(*) FROM lockage_journal",
    ] {
        traces.push(format!("-- {query}"));
        traces.extend(
            place
                .texts(query)
                .await
                .map_err(|error| format!("{query}: {error}"))?,
        );
    }
    Ok(traces)
}

async fn empty(place: &Place) -> Result<(), Failure> {
    let name = place.name();
    place
        .execute_at_the_server(&format!("DROP DATABASE {name}"))
        .await?;
    place
        .execute_at_the_server(&format!("CREATE DATABASE {name}"))
        .await
}

fn with(runner: Runner, strategy: LockStrategy) -> Runner {
    runner.connect_options(|options| options.lock_strategy = strategy)
}

async fn cut_everywhere(place: &Place, strategy: LockStrategy, step: usize) -> Result<(), Failure> {
    let proxy = Proxy::start(place.host()).await?;
    let through = |proxy: &Proxy| runner(&place.url_at(&proxy.address()), FILES);
    with(through(&proxy)?, strategy).up().await?;
    let expected = traces(place).await?;
    let turns = proxy.turns().await;
    drop(proxy);
    for turn in (1..=turns).step_by(step) {
        for cut in [Cut::Before(turn), Cut::Behind(turn)] {
            empty(place).await?;
            let proxy = Proxy::start(place.host()).await?;
            proxy.cut(cut.clone());
            let first = with(through(&proxy)?, strategy).up().await;
            if let Err(error) = &first {
                let kinds = [
                    ErrorKind::SessionLost,
                    ErrorKind::Connect,
                    ErrorKind::LockLost,
                ];
                if !kinds.contains(&error.kind()) {
                    return Err(format!("{cut:?}: the run that was cut failed by {error:?}").into());
                }
            }
            drop(proxy);
            if strategy == LockStrategy::Table {
                // The lease of the one that was cut off runs out at once; where there is no table yet, nobody took the lock.
                let _ = place
                    .execute("UPDATE lockage_lock SET lease_until = 0")
                    .await;
            }
            let report = with(place.runner(FILES)?, strategy)
                .up()
                .await
                .map_err(|error| {
                    format!("{cut:?}, after {first:?}: the next run failed by {error:?}")
                })?;
            let found = traces(place).await?;
            if found != expected {
                return Err(format!(
                    "{cut:?} ({:?}): expected {expected:#?}, found {found:#?}",
                    report.outcome
                )
                .into());
            }
            let again = with(place.runner(FILES)?, strategy).up().await?;
            assert_eq!(again.outcome, Outcome::UpToDate);
        }
    }
    Ok(())
}

/// Every so many messages; LOCKAGE_TEST_EVERY_CUT in the environment asks for all of them, which takes minutes.
#[expect(
    clippy::disallowed_methods,
    reason = "a test program reads its environment"
)]
fn step(usual: usize) -> usize {
    if std::env::var_os("LOCKAGE_TEST_EVERY_CUT").is_some() {
        1
    } else {
        usual
    }
}

async fn cut_at_any_message_every_statement_takes_effect_once(
    place: &Place,
) -> Result<(), Failure> {
    cut_everywhere(place, LockStrategy::Auto, step(11)).await
}

async fn cut_at_any_message_with_the_lock_in_a_table(place: &Place) -> Result<(), Failure> {
    cut_everywhere(place, LockStrategy::Table, step(23)).await
}
