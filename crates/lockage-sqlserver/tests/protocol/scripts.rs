use lockage_core::ErrorKind;
use lockage_sqlserver::lockage_core;

use crate::event_recorder::EventRecorder;
use crate::fake_server::{FakeServer, Reply, done, error, info, more, rows};
use crate::runner;

fn reply(parts: &[Vec<u8>]) -> Reply {
    Reply::Tokens(parts.concat())
}

#[tokio::test]
async fn batches_run_in_transaction_of_history_row() {
    let server = FakeServer::start().await;
    let script = "CREATE VIEW a AS SELECT 1 x\nGO\n/* GO */ INSERT INTO t VALUES ('\nGO\n')\nGO 3\nSELECT 'schäfer'";
    let report = runner(server.options(), &[("V1__a.sql", script)])
        .up()
        .await
        .unwrap();
    assert_eq!(report.applied.len(), 1);
    let state = server.state();
    let twice = "INSERT INTO t VALUES ('\nGO\n')";
    assert_eq!(
        state.scripts(),
        [
            "CREATE VIEW a AS SELECT 1 x",
            twice,
            twice,
            twice,
            "SELECT 'schäfer'"
        ]
    );
    assert_eq!(state.applied(), ["1"]);
    let at = |part: &str| {
        state
            .batches
            .iter()
            .rposition(|(_, text)| text.contains(part))
            .unwrap()
    };
    assert!(at("SET XACT_ABORT ON; SET NOCOUNT ON") < at("CREATE VIEW"));
    assert!(at("schäfer") < at("COMMIT TRANSACTION"));
    // The batch that writes the history checks that it runs in the transaction that was begun before the script.
    let last = &state.batches[at("COMMIT TRANSACTION")].1;
    assert!(
        last.starts_with(
            "IF @@TRANCOUNT <> 1 OR XACT_STATE() <> 1 OR CURRENT_TRANSACTION_ID() <> 77 THROW 54007"
        ),
        "{last}"
    );
}

#[tokio::test]
async fn run_without_pending_migrations_sends_one_batch() {
    let server = FakeServer::start().await;
    let files = [("V1__a.sql", "SELECT 1")];
    runner(server.options(), &files).up().await.unwrap();
    let before = server.state().batches.len();
    let report = runner(server.options(), &files).up().await.unwrap();
    assert!(report.applied.is_empty());
    assert_eq!(
        server.state().batches.len() - before,
        1,
        "{:?}",
        server.state().batches
    );
}

#[tokio::test]
async fn error_after_result_set_fails_migration() {
    let server = FakeServer::start().await;
    server.state().replies.push((
        "FROM big",
        reply(&[
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
    let location = failed.location().unwrap();
    assert_eq!(
        (location.file.as_str(), location.line),
        ("V1__a.sql", Some(6))
    );
    assert_eq!(
        location.line_text.as_deref(),
        Some("INSERT INTO t VALUES (1)")
    );
    assert!(
        failed
            .context()
            .any(|(key, value)| key == "sqlserver_error" && value == "547")
    );
    let state = server.state();
    assert!(state.applied().is_empty());
    assert!(
        !state
            .batches
            .iter()
            .any(|(_, text)| text.contains("FROM big") && text.contains("COMMIT"))
    );
    assert!(
        state
            .batches
            .iter()
            .any(|(_, text)| text.contains("ROLLBACK TRANSACTION"))
    );
    assert!(state.holders.is_empty());
}

#[tokio::test]
async fn server_messages_are_reported_as_notices() {
    let server = FakeServer::start().await;
    server.state().replies.push((
        "PRINT",
        reply(&[
            info("half way"),
            more(),
            info("half way"),
            info("schäfer"),
            done(0),
        ]),
    ));
    let recorder = EventRecorder::default();
    let run = runner(server.options(), &[("V1__a.sql", "PRINT 'half way'")]);
    run.observer(recorder.clone()).up().await.unwrap();
    assert_eq!(recorder.texts(), ["INFO: half way", "INFO: schäfer"]);
}

#[tokio::test]
async fn statement_on_locked_table_is_retried() {
    let server = FakeServer::start().await;
    for number in [1222, 1205] {
        let busy = reply(&[
            error(number, "Lock request time out period exceeded.", 1),
            done(2),
        ]);
        server.state().replies.push(("ALTER TABLE", busy));
    }
    let recorder = EventRecorder::default();
    let run = runner(
        server.options(),
        &[("V1__a.sql", "ALTER TABLE t ADD x INT")],
    );
    run.observer(recorder.clone()).up().await.unwrap();
    assert_eq!(recorder.texts(), ["try 2", "try 3"]);
    assert_eq!(server.state().applied(), ["1"]);
    assert!(
        server
            .state()
            .batches
            .iter()
            .any(|(_, text)| text.contains("SET LOCK_TIMEOUT 5000"))
    );
}

#[tokio::test]
async fn transaction_ended_by_procedure_is_detected() {
    let server = FakeServer::start().await;
    server
        .state()
        .replies
        .push(("THROW 54007", reply(&[error(54007, "lockage", 1), done(2)])));
    let failed = runner(server.options(), &[("V1__a.sql", "EXEC tricky")])
        .up()
        .await
        .unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::MigrationFailed);
    assert!(
        failed.message().contains("ended the transaction"),
        "{failed}"
    );
    assert!(server.state().applied().is_empty());
}

#[tokio::test]
async fn session_changes_of_script_are_undone_before_history_write() {
    let server = FakeServer::start().await;
    server.state().replies.push((
        "SELECT DB_NAME(); USE",
        reply(&[rows(&[vec![Some("other")]], 1), done(0)]),
    ));
    let script = "USE other\nGO\nEXECUTE AS USER = 'low'\nGO\nSET NOEXEC ON\nGO\nSELECT 1";
    runner(server.options(), &[("V1__a.sql", script)])
        .up()
        .await
        .unwrap();
    let state = server.state();
    let texts: Vec<&str> = state
        .batches
        .iter()
        .map(|(_, text)| text.as_str())
        .collect();
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
    assert_eq!(state.applied(), ["1"]);
}

#[tokio::test]
async fn invalid_scripts_are_rejected_before_execution() {
    let server = FakeServer::start().await;
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
    assert!(server.state().scripts().is_empty());
    assert!(server.state().holders.is_empty());
}
