use lockage_core::ErrorKind;
use lockage_sqlserver::lockage_core;

use crate::runner;
use crate::tds::{Reply, Server, done, error, info, more, rows};
use crate::told::Told;

fn answer(parts: &[Vec<u8>]) -> Reply {
    Reply::Tokens(parts.concat())
}

#[tokio::test]
async fn batches_run_one_by_one_in_the_transaction_of_their_row() {
    let server = Server::start().await;
    let script = "CREATE VIEW a AS SELECT 1 x\nGO\n/* GO */ INSERT INTO t VALUES ('\nGO\n')\nGO 3\nSELECT 'schäfer'";
    let report = runner(server.options(), &[("V1__a.sql", script)])
        .up()
        .await
        .unwrap();
    assert_eq!(report.applied.len(), 1);
    let world = server.world();
    let twice = "INSERT INTO t VALUES ('\nGO\n')";
    assert_eq!(
        world.scripts(),
        [
            "CREATE VIEW a AS SELECT 1 x",
            twice,
            twice,
            twice,
            "SELECT 'schäfer'"
        ]
    );
    assert_eq!(world.applied(), ["1"]);
    let at = |part: &str| {
        world
            .heard
            .iter()
            .rposition(|(_, text)| text.contains(part))
            .unwrap()
    };
    assert!(at("SET XACT_ABORT ON; SET NOCOUNT ON") < at("CREATE VIEW"));
    assert!(at("schäfer") < at("COMMIT TRANSACTION"));
    // What is written after a script is written in the very transaction that was begun before it.
    let last = &world.heard[at("COMMIT TRANSACTION")].1;
    assert!(
        last.starts_with(
            "IF @@TRANCOUNT <> 1 OR XACT_STATE() <> 1 OR CURRENT_TRANSACTION_ID() <> 77 THROW 54007"
        ),
        "{last}"
    );
}

#[tokio::test]
async fn nothing_to_do_is_one_batch() {
    let server = Server::start().await;
    let files = [("V1__a.sql", "SELECT 1")];
    runner(server.options(), &files).up().await.unwrap();
    let before = server.world().heard.len();
    let report = runner(server.options(), &files).up().await.unwrap();
    assert!(report.applied.is_empty());
    assert_eq!(
        server.world().heard.len() - before,
        1,
        "{:?}",
        server.world().heard
    );
}

#[tokio::test]
async fn an_error_behind_a_result_set_fails_the_migration() {
    let server = Server::start().await;
    server.world().answers.push((
        "FROM big",
        answer(&[
            rows(&[vec![Some("1")], vec![None::<&str>]], 1),
            rows::<&str>(&[], 1),
            error(547, "The INSERT statement conflicted with a constraint.", 2),
            done(2),
        ]),
    ));
    let script = "SELECT 0\nGO\n\n-- so\nSELECT * FROM big;\nINSERT INTO t VALUES (1)\nGO\n";
    let failed = runner(server.options(), &[("V1__a.sql", script)])
        .up()
        .await
        .unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::MigrationFailed);
    assert!(failed.message().contains("conflicted"), "{failed}");
    // Line 2 of the second batch is line 6 of the file.
    let place = failed.location().unwrap();
    assert_eq!((place.file.as_str(), place.line), ("V1__a.sql", Some(6)));
    assert_eq!(place.line_text.as_deref(), Some("INSERT INTO t VALUES (1)"));
    assert!(
        failed
            .context()
            .any(|(key, value)| key == "sqlserver_error" && value == "547")
    );
    let world = server.world();
    assert!(world.applied().is_empty());
    assert!(
        !world
            .heard
            .iter()
            .any(|(_, text)| text.contains("FROM big") && text.contains("COMMIT"))
    );
    assert!(
        world
            .heard
            .iter()
            .any(|(_, text)| text.contains("ROLLBACK TRANSACTION"))
    );
    assert!(world.holders.is_empty());
}

#[tokio::test]
async fn what_the_server_prints_is_told() {
    let server = Server::start().await;
    server.world().answers.push((
        "PRINT",
        answer(&[
            info("half way"),
            more(),
            info("half way"),
            info("schäfer"),
            done(0),
        ]),
    ));
    let told = Told::default();
    let run = runner(server.options(), &[("V1__a.sql", "PRINT 'half way'")]);
    run.observer(told.clone()).up().await.unwrap();
    assert_eq!(told.texts(), ["INFO: half way", "INFO: schäfer"]);
}

#[tokio::test]
async fn a_busy_table_is_tried_again() {
    let server = Server::start().await;
    for number in [1222, 1205] {
        let busy = answer(&[
            error(number, "Lock request time out period exceeded.", 1),
            done(2),
        ]);
        server.world().answers.push(("ALTER TABLE", busy));
    }
    let told = Told::default();
    let run = runner(
        server.options(),
        &[("V1__a.sql", "ALTER TABLE t ADD x INT")],
    );
    run.observer(told.clone()).up().await.unwrap();
    assert_eq!(told.texts(), ["try 2", "try 3"]);
    assert_eq!(server.world().applied(), ["1"]);
    assert!(
        server
            .world()
            .heard
            .iter()
            .any(|(_, text)| text.contains("SET LOCK_TIMEOUT 5000"))
    );
}

#[tokio::test]
async fn a_transaction_that_a_procedure_ended_is_found_out() {
    let server = Server::start().await;
    server.world().answers.push((
        "THROW 54007",
        answer(&[error(54007, "lockage", 1), done(2)]),
    ));
    let failed = runner(server.options(), &[("V1__a.sql", "EXEC tricky")])
        .up()
        .await
        .unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::MigrationFailed);
    assert!(
        failed.message().contains("ended the transaction"),
        "{failed}"
    );
    assert!(server.world().applied().is_empty());
}

#[tokio::test]
async fn a_script_that_ends_everything_does_not_reach_the_history() {
    let server = Server::start().await;
    server.world().answers.push((
        "SELECT DB_NAME(); USE",
        answer(&[rows(&[vec![Some("other")]], 1), done(0)]),
    ));
    let script = "USE other\nGO\nEXECUTE AS USER = 'low'\nGO\nSET NOEXEC ON\nGO\nSELECT 1";
    runner(server.options(), &[("V1__a.sql", script)])
        .up()
        .await
        .unwrap();
    let world = server.world();
    let texts: Vec<&str> = world.heard.iter().map(|(_, text)| text.as_str()).collect();
    let at = |part: &str| {
        texts
            .iter()
            .position(|text| text.contains(part))
            .unwrap_or_else(|| panic!("{part} in {texts:#?}"))
    };
    let commit = at("COMMIT TRANSACTION;\nSELECT @@TRANCOUNT");
    let last = texts
        .iter()
        .rposition(|text| text.contains("COMMIT TRANSACTION"))
        .unwrap();
    assert!(commit < at("SELECT 1"));
    for part in [
        "SET NOEXEC OFF",
        "SET XACT_ABORT ON; SET IMPLICIT_TRANSACTIONS OFF; SET ROWCOUNT 0",
        "REVERT",
        "USE [shop]",
    ] {
        assert!(
            (at("SELECT 1")..last).contains(&at(part)),
            "{part} in {texts:#?}"
        );
    }
    assert_eq!(world.applied(), ["1"]);
}

#[tokio::test]
async fn mistakes_in_a_script_are_told_before_anything_is_sent() {
    let server = Server::start().await;
    for (script, line, part) in [
        ("SELECT 1\nGO abc\nSELECT 2", 2, "GO"),
        ("SELECT 1\nGO 0", 2, "GO"),
        ("SELECT 1\nGO\nCOMMIT", 3, "COMMIT"),
        ("SELECT 1\n/* GO\n", 2, "comment"),
    ] {
        let error = runner(server.options(), &[("V1__a.sql", script)])
            .up()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidMigration, "{script}");
        assert_eq!(error.location().unwrap().line, Some(line), "{script}");
        assert!(error.message().contains(part), "{error}");
    }
    let stops = "-- lockage: no-transaction\nSELECT 1\nGO\nSET NOEXEC ON";
    let error = runner(server.options(), &[("V1__a.sql", stops)])
        .up()
        .await
        .unwrap_err();
    assert!(error.message().contains("NOEXEC"), "{error}");
    assert!(server.world().scripts().is_empty());
    assert!(server.world().holders.is_empty());
}
