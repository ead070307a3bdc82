//! Scripts that fail, wait, take too long, and what comes after.

use std::time::Duration;

use lockage_mysql::lockage_core::{ErrorKind, Outcome};
use lockage_testkit::TestError;

use crate::place::{Heard, Place};
use crate::witness::client;

crate::tests!(
    a_failure_is_told_with_its_place_and_the_fixed_file_goes_on,
    a_syntax_error_is_told_with_its_column,
    a_committed_statement_cannot_change,
    a_dump_runs,
    what_cannot_be_journaled_is_refused_before_anything_runs,
    a_file_of_this_machine_is_never_sent,
    a_statement_that_takes_too_long_is_ended,
    a_table_in_use_is_waited_for_in_short_tries,
    ddl_in_a_transaction_of_the_script_ends_it,
    text_in_every_script_arrives,
);

async fn a_failure_is_told_with_its_place_and_the_fixed_file_goes_on(
    place: &Place,
) -> Result<(), TestError> {
    let script = "CREATE TABLE a (n INT);\nINSERT INTO a VALUES (1);\n\n  INSERT INTO b\n  VALUES (2);\nINSERT INTO a VALUES (3);";
    let error = place
        .runner(&[("V1__a.sql", script)])?
        .up()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MigrationFailed);
    let at = error.location().ok_or("no place")?;
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
    place.runner(&[("V1__a.sql", &fixed)])?.up().await?;
    assert_eq!(
        place.texts("SELECT n FROM a ORDER BY n").await?,
        ["1", "3", "22"]
    );
    Ok(())
}

async fn a_syntax_error_is_told_with_its_column(place: &Place) -> Result<(), TestError> {
    let script = "CREATE TABLE a (n INT);\n\nSELECT 1,\n  n FORM a;";
    let error = place
        .runner(&[("V1__a.sql", script)])?
        .up()
        .await
        .unwrap_err();
    let at = error.location().ok_or("no place")?;
    // MySQL takes FORM for an alias and stumbles over what follows.
    assert_eq!(at.line, Some(4), "{error:?}");
    assert!(matches!(at.column, Some(5 | 10)), "{error:?}");
    Ok(())
}

async fn a_committed_statement_cannot_change(place: &Place) -> Result<(), TestError> {
    place
        .runner(&[("V1__a.sql", "CREATE TABLE a (n INT); SELEKT 1;")])?
        .up()
        .await
        .unwrap_err();
    let changed = place.runner(&[("V1__a.sql", "CREATE TABLE a (n BIGINT); SELECT 1;")])?;
    let error = changed.up().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged);
    assert!(
        error.message().contains("statement 1 ") && error.message().contains("with another text"),
        "{error}"
    );
    place
        .runner(&[("V1__a.sql", "CREATE TABLE a (n INT); SELECT 1;")])?
        .up()
        .await?;
    Ok(())
}

async fn a_dump_runs(place: &Place) -> Result<(), TestError> {
    let script = r"
        /*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
        /*!50503 SET NAMES utf8mb4 */;
        /*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
        /*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
        /*!99999 nobody is that new */;
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
    place.runner(&[("V1__dump.sql", script)])?.up().await?;
    assert_eq!(
        place
            .texts("SELECT CONCAT(id, ':', IFNULL(`of`, '-')) FROM kid ORDER BY id")
            .await?,
        ["0:-", "1:1", "2:1"]
    );
    assert_eq!(place.text("SELECT name FROM mother").await?, r"O'Hara; \");
    Ok(())
}

async fn what_cannot_be_journaled_is_refused_before_anything_runs(
    place: &Place,
) -> Result<(), TestError> {
    for statement in [
        "LOCK TABLES a WRITE",
        "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE a",
        "XA START 'x'",
    ] {
        let script = format!("CREATE TABLE a (n INT);\n{statement};");
        let error = place
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
        assert_eq!(place.texts("SHOW TABLES").await?, [""; 0]);
    }
    Ok(())
}

async fn a_file_of_this_machine_is_never_sent(place: &Place) -> Result<(), TestError> {
    let mut file = tempfile::NamedTempFile::new()?;
    std::io::Write::write_all(&mut file, b"secret\n")?;
    let path = file.path().display();
    // Hidden from whoever only reads the first word.
    for load in [
        format!("/*!50000 LOAD DATA LOCAL INFILE '{path}' INTO TABLE a */"),
        format!("LOAD /*!50000 DATA LOCAL */ INFILE '{path}' INTO TABLE a"),
        format!("LOAD DATA /* */ CONCURRENT LOCAL INFILE '{path}' INTO TABLE a"),
    ] {
        place
            .execute("DROP TABLE IF EXISTS a, lockage_history, lockage_journal")
            .await?;
        place.execute("CREATE TABLE a (t TEXT)").await?;
        let error = place
            .runner(&[("V1__a.sql", load.as_str())])?
            .up()
            .await
            .unwrap_err();
        let refused = [ErrorKind::InvalidMigration, ErrorKind::Unsupported];
        assert!(refused.contains(&error.kind()), "{load}: {error:?}");
        assert_eq!(place.texts("SELECT t FROM a").await?, [""; 0], "{load}");
    }
    Ok(())
}

async fn a_statement_that_takes_too_long_is_ended(place: &Place) -> Result<(), TestError> {
    let slow = "SELECT COUNT(*) FROM a x JOIN a y JOIN a z WHERE SLEEP(30) = 0";
    let script = format!(
        "-- lockage: statement-timeout=300ms\nCREATE TABLE a (n INT);\nINSERT INTO a VALUES (1);\n{slow};"
    );
    let error = place
        .runner(&[("V1__a.sql", &script)])?
        .up()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MigrationFailed, "{error:?}");
    assert!(
        error.message().contains("took longer than 300ms"),
        "{error}"
    );
    assert_eq!(error.location().and_then(|at| at.line), Some(4));
    // An interrupted SLEEP ends without an error, and is not taken for success.
    let script = script.replace(slow, "DO SLEEP(30)");
    let error = place
        .runner(&[("V1__a.sql", &script)])?
        .up()
        .await
        .unwrap_err();
    assert!(
        error.message().contains("took longer than 300ms"),
        "{error}"
    );
    let left = format!(
        "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{}' AND INFO LIKE '%SLEEP(30)%' AND ID <> CONNECTION_ID()",
        place.name()
    );
    assert_eq!(place.texts(&left).await?, [""; 0]);
    Ok(())
}

async fn a_table_in_use_is_waited_for_in_short_tries(place: &Place) -> Result<(), TestError> {
    use mysql_async::prelude::Queryable;
    place
        .runner(&[("V1__a.sql", "CREATE TABLE a (n INT)")])?
        .up()
        .await?;
    let mut reader = client(&place.url()).await?;
    reader.query_drop("START TRANSACTION").await?;
    reader.query_drop("SELECT * FROM a").await?;
    let heard = Heard::default();
    let files = [
        ("V1__a.sql", "CREATE TABLE a (n INT)"),
        (
            "V2__b.sql",
            "ALTER TABLE a ADD m INT; INSERT INTO a VALUES (1, 2)",
        ),
    ];
    let runner = place
        .runner(&files)?
        .connect_options(|options| options.ddl_lock_timeout = Some(Duration::from_secs(1)))
        .observer(heard.clone());
    let running = tokio::spawn(async move { runner.up().await });
    while !heard
        .words()
        .iter()
        .any(|word| word.starts_with("retry 2: Lock wait timeout"))
    {
        assert!(!running.is_finished(), "{:?}", running.await?);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    reader.disconnect().await?;
    assert_eq!(running.await??.outcome, Outcome::Applied);
    assert_eq!(place.text("SELECT m FROM a").await?, "2");
    Ok(())
}

async fn ddl_in_a_transaction_of_the_script_ends_it(place: &Place) -> Result<(), TestError> {
    let script = "CREATE TABLE a (n INT);
        START TRANSACTION; INSERT INTO a VALUES (1); CREATE TABLE b (n INT); INSERT INTO b VALUES (2); ROLLBACK;
        START TRANSACTION; INSERT INTO a VALUES (3); ROLLBACK;";
    place.runner(&[("V1__a.sql", script)])?.up().await?;
    assert_eq!(
        place
            .texts("SELECT n FROM a UNION ALL SELECT n FROM b ORDER BY n")
            .await?,
        ["1", "2"]
    );
    let open = place.runner(&[
        ("V1__a.sql", script),
        ("V2__b.sql", "START TRANSACTION; INSERT INTO a VALUES (4);"),
    ])?;
    let error = open.up().await.unwrap_err();
    assert!(
        error.message().contains("leaves a transaction open"),
        "{error}"
    );
    assert_eq!(place.texts("SELECT n FROM a").await?, ["1"]);
    Ok(())
}

async fn text_in_every_script_arrives(place: &Place) -> Result<(), TestError> {
    let script = "CREATE TABLE `größe` (t VARCHAR(50) CHARACTER SET utf8mb4); INSERT INTO `größe` VALUES ('Ω 漢 🦀');";
    place
        .runner(&[("V1__ünïcode_🦀.sql", script)])?
        .up()
        .await?;
    assert_eq!(place.text("SELECT t FROM `größe`").await?, "Ω 漢 🦀");
    assert_eq!(
        place.text("SELECT name FROM lockage_history").await?,
        "ünïcode 🦀"
    );
    assert_eq!(
        place
            .runner(&[("V1__ünïcode_🦀.sql", script)])?
            .up()
            .await?
            .outcome,
        Outcome::UpToDate
    );
    Ok(())
}
