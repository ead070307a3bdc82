//! Scripts that fail, wait or exceed a time limit, and the next run after them.

use std::time::Duration;

use lockage_mysql::lockage_core::{ErrorKind, Outcome};
use lockage_testkit::TestError;

use crate::direct_client::client;
use crate::test_database::{EventLog, TestDatabase};

crate::test_list::tests!(
    failure_has_position_and_fixed_file_resumes,
    syntax_error_has_column,
    changed_committed_statement_is_rejected,
    mysqldump_script_runs,
    unsupported_statement_is_rejected_before_running,
    client_file_is_never_sent,
    statement_timeout_cancels_statement,
    table_lock_timeout_is_retried,
    ddl_commits_transaction_of_script,
    unicode_text_is_preserved,
);

async fn failure_has_position_and_fixed_file_resumes(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let script = "CREATE TABLE a (n INT);\nINSERT INTO a VALUES (1);\n\n  INSERT INTO b\n  VALUES (2);\nINSERT INTO a VALUES (3);";
    let error = database
        .runner(&[("V1__a.sql", script)])?
        .up()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MigrationFailed);
    let at = error.location().ok_or("no location")?;
    assert_eq!(
        (at.file.as_str(), at.line, at.column),
        ("V1__a.sql", Some(4), Some(3))
    );
    assert_eq!(at.line_text.as_deref(), Some("  INSERT INTO b"));
    let context: Vec<String> = error
        .context()
        .map(|(key, value)| format!("{key}: {value}"))
        .collect();
    assert!(
        context.contains(&"effect: 2 of 4 statements are committed".to_owned()),
        "{context:?}"
    );
    assert!(
        context.contains(&"mysql_error: 1146".to_owned()),
        "{context:?}"
    );
    let fixed = script.replace("INSERT INTO b\n  VALUES (2)", "INSERT INTO a VALUES (22)");
    database.runner(&[("V1__a.sql", &fixed)])?.up().await?;
    assert_eq!(
        database.texts("SELECT n FROM a ORDER BY n").await?,
        ["1", "3", "22"]
    );
    Ok(())
}

async fn syntax_error_has_column(database: &TestDatabase) -> Result<(), TestError> {
    let script = "CREATE TABLE a (n INT);\n\nSELECT 1,\n  n FORM a;";
    let error = database
        .runner(&[("V1__a.sql", script)])?
        .up()
        .await
        .unwrap_err();
    let at = error.location().ok_or("no location")?;
    // MySQL reads FORM as an alias and reports the next token.
    assert_eq!(at.line, Some(4), "{error:?}");
    assert!(matches!(at.column, Some(5 | 10)), "{error:?}");
    Ok(())
}

async fn changed_committed_statement_is_rejected(database: &TestDatabase) -> Result<(), TestError> {
    database
        .runner(&[("V1__a.sql", "CREATE TABLE a (n INT); SELEKT 1;")])?
        .up()
        .await
        .unwrap_err();
    let changed = database.runner(&[("V1__a.sql", "CREATE TABLE a (n BIGINT); SELECT 1;")])?;
    let error = changed.up().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged);
    assert!(
        error.message().contains("statement 1 ")
            && error.message().contains("with a different text"),
        "{error}"
    );
    database
        .runner(&[("V1__a.sql", "CREATE TABLE a (n INT); SELECT 1;")])?
        .up()
        .await?;
    Ok(())
}

async fn mysqldump_script_runs(database: &TestDatabase) -> Result<(), TestError> {
    let script = r"
        /*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
        /*!50503 SET NAMES utf8mb4 */;
        /*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
        /*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
        /*!99999 no server has this version */;
        DROP TABLE IF EXISTS `kid`;
        CREATE TABLE `kid` (`id` int NOT NULL AUTO_INCREMENT, `of` int, PRIMARY KEY (`id`),
          CONSTRAINT `kid_of` FOREIGN KEY (`of`) REFERENCES `mother` (`id`)) ENGINE=InnoDB;
        /*!40000 ALTER TABLE `kid` DISABLE KEYS */;
        INSERT INTO `kid` VALUES (0,NULL),(1,1);
        /*!40000 ALTER TABLE `kid` ENABLE KEYS */;
        DROP TABLE IF EXISTS `mother`;
        CREATE TABLE `mother` (`id` int NOT NULL, `name` varchar(20) DEFAULT 'a\'b;--', PRIMARY KEY (`id`)) ENGINE=InnoDB;
        INSERT INTO `mother` VALUES (1,'O\'Hara; \\');
        /*!50003 SET @saved_sql_mode = @@sql_mode */ ;
        DELIMITER ;;
        /*!50003 CREATE*/ /*!50003 TRIGGER `kid_ins` BEFORE INSERT ON `kid` FOR EACH ROW begin set new.of = 1; end */;;
        DELIMITER ;
        /*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
        /*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
        INSERT INTO kid (`of`) VALUES (NULL);";
    database.runner(&[("V1__dump.sql", script)])?.up().await?;
    assert_eq!(
        database
            .texts("SELECT CONCAT(id, ':', IFNULL(`of`, '-')) FROM kid ORDER BY id")
            .await?,
        ["0:-", "1:1", "2:1"]
    );
    assert_eq!(
        database.text("SELECT name FROM mother").await?,
        r"O'Hara; \"
    );
    Ok(())
}

async fn unsupported_statement_is_rejected_before_running(
    database: &TestDatabase,
) -> Result<(), TestError> {
    for statement in [
        "LOCK TABLES a WRITE",
        "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE a",
        "XA START 'x'",
    ] {
        let script = format!("CREATE TABLE a (n INT);\n{statement};");
        let error = database
            .runner(&[("V1__a.sql", &script)])?
            .up()
            .await
            .unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::InvalidMigration,
            "{statement}: {error:?}"
        );
        assert_eq!(error.location().and_then(|at| at.line), Some(2));
        assert_eq!(database.texts("SHOW TABLES").await?, [""; 0]);
    }
    Ok(())
}

async fn client_file_is_never_sent(database: &TestDatabase) -> Result<(), TestError> {
    let mut file = tempfile::NamedTempFile::new()?;
    std::io::Write::write_all(&mut file, b"secret\n")?;
    let path = file.path().display();
    // The first word alone does not reveal LOAD DATA LOCAL.
    for load in [
        format!("/*!50000 LOAD DATA LOCAL INFILE '{path}' INTO TABLE a */"),
        format!("LOAD /*!50000 DATA LOCAL */ INFILE '{path}' INTO TABLE a"),
        format!("LOAD DATA /* */ CONCURRENT LOCAL INFILE '{path}' INTO TABLE a"),
    ] {
        database
            .execute("DROP TABLE IF EXISTS a, lockage_history, lockage_journal")
            .await?;
        database.execute("CREATE TABLE a (t TEXT)").await?;
        let error = database
            .runner(&[("V1__a.sql", load.as_str())])?
            .up()
            .await
            .unwrap_err();
        let expected = [ErrorKind::InvalidMigration, ErrorKind::Unsupported];
        assert!(expected.contains(&error.kind()), "{load}: {error:?}");
        assert_eq!(database.texts("SELECT t FROM a").await?, [""; 0], "{load}");
    }
    Ok(())
}

async fn statement_timeout_cancels_statement(database: &TestDatabase) -> Result<(), TestError> {
    let slow = "SELECT COUNT(*) FROM a x JOIN a y JOIN a z WHERE SLEEP(30) = 0";
    let script = format!(
        "-- lockage: statement-timeout=300ms\nCREATE TABLE a (n INT);\nINSERT INTO a VALUES (1);\n{slow};"
    );
    let error = database
        .runner(&[("V1__a.sql", &script)])?
        .up()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MigrationFailed, "{error:?}");
    assert!(
        error.message().contains("statement timeout of 300ms"),
        "{error}"
    );
    assert_eq!(error.location().and_then(|at| at.line), Some(4));
    // A cancelled SLEEP ends without an error. That must not count as success.
    let script = script.replace(slow, "DO SLEEP(30)");
    let error = database
        .runner(&[("V1__a.sql", &script)])?
        .up()
        .await
        .unwrap_err();
    assert!(
        error.message().contains("statement timeout of 300ms"),
        "{error}"
    );
    let running = format!(
        "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{}' AND INFO LIKE '%SLEEP(30)%' AND ID <> CONNECTION_ID()",
        database.name()
    );
    assert_eq!(database.texts(&running).await?, [""; 0]);
    Ok(())
}

async fn table_lock_timeout_is_retried(database: &TestDatabase) -> Result<(), TestError> {
    use mysql_async::prelude::Queryable;
    database
        .runner(&[("V1__a.sql", "CREATE TABLE a (n INT)")])?
        .up()
        .await?;
    let mut reader = client(&database.url()).await?;
    reader.query_drop("START TRANSACTION").await?;
    reader.query_drop("SELECT * FROM a").await?;
    let events = EventLog::default();
    let files = [
        ("V1__a.sql", "CREATE TABLE a (n INT)"),
        (
            "V2__b.sql",
            "ALTER TABLE a ADD m INT; INSERT INTO a VALUES (1, 2)",
        ),
    ];
    let runner = database
        .runner(&files)?
        .connect_options(|options| options.ddl_lock_timeout = Some(Duration::from_secs(1)))
        .observer(events.clone());
    let running = tokio::spawn(async move { runner.up().await });
    while !events
        .lines()
        .iter()
        .any(|line| line.starts_with("retry 2: Lock wait timeout"))
    {
        assert!(!running.is_finished(), "{:?}", running.await?);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    reader.disconnect().await?;
    assert_eq!(running.await??.outcome, Outcome::Applied);
    assert_eq!(database.text("SELECT m FROM a").await?, "2");
    Ok(())
}

async fn ddl_commits_transaction_of_script(database: &TestDatabase) -> Result<(), TestError> {
    let script = "CREATE TABLE a (n INT);
        START TRANSACTION; INSERT INTO a VALUES (1); CREATE TABLE b (n INT); INSERT INTO b VALUES (2); ROLLBACK;
        START TRANSACTION; INSERT INTO a VALUES (3); ROLLBACK;";
    database.runner(&[("V1__a.sql", script)])?.up().await?;
    assert_eq!(
        database
            .texts("SELECT n FROM a UNION ALL SELECT n FROM b ORDER BY n")
            .await?,
        ["1", "2"]
    );
    let open = database.runner(&[
        ("V1__a.sql", script),
        ("V2__b.sql", "START TRANSACTION; INSERT INTO a VALUES (4);"),
    ])?;
    let error = open.up().await.unwrap_err();
    assert!(
        error.message().contains("leaves a transaction open"),
        "{error}"
    );
    assert_eq!(database.texts("SELECT n FROM a").await?, ["1"]);
    Ok(())
}

async fn unicode_text_is_preserved(database: &TestDatabase) -> Result<(), TestError> {
    let script = "CREATE TABLE `größe` (t VARCHAR(50) CHARACTER SET utf8mb4); INSERT INTO `größe` VALUES ('Ω 漢 🦀');";
    database
        .runner(&[("V1__ünïcode_🦀.sql", script)])?
        .up()
        .await?;
    assert_eq!(database.text("SELECT t FROM `größe`").await?, "Ω 漢 🦀");
    assert_eq!(
        database.text("SELECT name FROM lockage_history").await?,
        "ünïcode 🦀"
    );
    assert_eq!(
        database
            .runner(&[("V1__ünïcode_🦀.sql", script)])?
            .up()
            .await?
            .outcome,
        Outcome::UpToDate
    );
    Ok(())
}
