//! Migrations in which every statement has a visible effect, and the effects that all of them have together.

use lockage_testkit::TestError;

use crate::direct_client::texts;

/// Statements of every kind. Running one of them twice, or not at all, changes the [`effects`].
pub(crate) const FILES: &[(&str, &str)] = &[
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

/// Returns the effects of all statements. Numbers from a counter are omitted, because an insert that was rolled back consumes some.
pub(crate) async fn effects(url: &str) -> Result<Vec<String>, TestError> {
    let mut effects = Vec::new();
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
        effects.push(format!("-- {query}"));
        effects.extend(
            texts(url, query)
                .await
                .map_err(|error| format!("{query}: {error}"))?,
        );
    }
    Ok(effects)
}
