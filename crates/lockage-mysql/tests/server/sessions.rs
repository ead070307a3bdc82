//! The settings of a session, and the session state that a resumed run restores.

use lockage_testkit::TestError;

use crate::test_database::TestDatabase;

crate::test_list::tests!(
    session_defaults_are_reset_before_each_migration,
    resumed_run_restores_variables_and_prepared_statements,
    resumed_run_restores_settings,
    read_only_session_still_records_history,
    script_cannot_change_idle_timeout_of_holder,
);

async fn session_defaults_are_reset_before_each_migration(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let record = "INSERT INTO seen SELECT CONCAT_WS('|', @@sql_mode, @@time_zone, @@character_set_client, IF(@@autocommit, 1, 0), IF(@@foreign_key_checks, 1, 0), \
        IF(@@unique_checks, 1, 0), @@lock_wait_timeout, @@innodb_lock_wait_timeout, DATABASE())";
    let create = format!("CREATE TABLE seen (s TEXT CHARACTER SET utf8mb4); {record}");
    let change_all = "SET NAMES latin1; SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES', time_zone = '+05:00', foreign_key_checks = 0, autocommit = 0;
        SET SESSION lock_wait_timeout = 77; SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED; USE information_schema;";
    database
        .runner(&[
            ("V1__a.sql", &create),
            ("V2__b.sql", change_all),
            ("V3__c.sql", record),
        ])?
        .up()
        .await?;
    let expected = format!(
        "STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION|+00:00|utf8mb4|1|1|1|5|5|{}",
        database.name()
    );
    assert_eq!(
        database.texts("SELECT s FROM seen").await?,
        [expected.clone(), expected]
    );
    Ok(())
}

async fn resumed_run_restores_variables_and_prepared_statements(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let script = r#"CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, a TEXT CHARACTER SET utf8mb4, b DECIMAL(20, 5), c DOUBLE, d BLOB, e INT);
        INSERT INTO t (a) VALUES ('first');
        SET @id = LAST_INSERT_ID();
        SET @a = 'it''s \\ "ü"', @b = 12.50000, @c = 1.5e300, @d = x'00ff', @e = NULL;
        PREPARE put FROM 'INSERT INTO t (a, b, c, d, e) VALUES (?, ?, ?, ?, ?)';
        SET @text = CONCAT('UPDATE t SET e = ', @id + 41);
        PREPARE mark FROM @text;
        FAIL HERE;
        EXECUTE put USING @a, @b, @c, @d, @e;
        EXECUTE mark;
        INSERT INTO t (a) VALUES (CONCAT('id was ', @id));"#;
    database
        .runner(&[("V1__a.sql", script)])?
        .up()
        .await
        .unwrap_err();
    database
        .runner(&[("V1__a.sql", &script.replace("FAIL HERE;", ""))])?
        .up()
        .await?;
    let found = database
        .texts("SELECT CONCAT_WS('|', id, a, b, c, HEX(d), IFNULL(e, '-')) FROM t ORDER BY id")
        .await?;
    assert_eq!(
        found,
        [
            "1|first|42",
            "2|it's \\ \"ü\"|12.50000|1.5e300|00FF|42",
            "3|id was 1|-"
        ]
    );
    Ok(())
}

async fn resumed_run_restores_settings(database: &TestDatabase) -> Result<(), TestError> {
    let script = "CREATE TABLE kid (n INT, FOREIGN KEY (n) REFERENCES mother (n)); SET foreign_key_checks = 0;
        CREATE TABLE mother (n INT PRIMARY KEY); SET @n = 7; FAIL HERE; INSERT INTO kid VALUES (@n);";
    let script = script.replacen(
        "CREATE TABLE kid",
        "SET foreign_key_checks = 0; CREATE TABLE kid",
        1,
    );
    database
        .runner(&[("V1__a.sql", &script)])?
        .up()
        .await
        .unwrap_err();
    database
        .runner(&[("V1__a.sql", &script.replace("FAIL HERE;", ""))])?
        .up()
        .await?;
    assert_eq!(database.text("SELECT n FROM kid").await?, "7");
    Ok(())
}

async fn read_only_session_still_records_history(database: &TestDatabase) -> Result<(), TestError> {
    let script =
        "CREATE TABLE a (n INT); SET SESSION TRANSACTION READ ONLY; INSERT INTO a VALUES (1)";
    database.runner(&[("V1__a.sql", script)])?.up().await?;
    assert_eq!(database.text("SELECT n FROM a").await?, "1");
    let read_only = "START TRANSACTION READ ONLY; SELECT n FROM a; COMMIT";
    let error = database
        .runner(&[("V1__a.sql", script), ("V2__b.sql", read_only)])?
        .up()
        .await
        .unwrap_err();
    assert!(
        error.hint().is_some_and(|hint| hint.contains("READ ONLY")),
        "{error:?}"
    );
    Ok(())
}

async fn script_cannot_change_idle_timeout_of_holder(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let script = "SET SESSION wait_timeout = 28800, net_read_timeout = 600, net_write_timeout = 600; \
                  CREATE TABLE seen AS SELECT CONCAT_WS('|', @@wait_timeout, @@net_read_timeout, @@net_write_timeout) AS s";
    database.runner(&[("V1__a.sql", script)])?.up().await?;
    assert_eq!(database.text("SELECT s FROM seen").await?, "15|15|15");
    Ok(())
}
