use lockage_core::ErrorKind;
use lockage_sqlserver::lockage_core;

use crate::fake_server::{FakeServer, Reply};
use crate::runner;

#[tokio::test]
async fn connection_loss_during_script_releases_lock() {
    let server = FakeServer::start().await;
    server.state().replies.push(("SELECT 2", Reply::Disconnect));
    let files = [("V1__a.sql", "SELECT 1"), ("V2__b.sql", "SELECT 2")];
    let lost = runner(server.options(), &files).up().await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::SessionLost);
    assert!(lost.is_temporary());
    assert_eq!(lost.report().unwrap().applied.len(), 1);
    assert_eq!(server.state().applied(), ["1"]);
    assert!(server.state().holders.is_empty());
    // The run did not continue on another connection.
    assert_eq!(server.state().logins, 1);
    runner(server.options(), &files).up().await.unwrap();
    assert_eq!(server.state().applied(), ["1", "2"]);
}

#[tokio::test]
async fn connection_loss_at_commit_is_resolved_by_next_run() {
    let server = FakeServer::start().await;
    server
        .state()
        .replies
        .push(("COMMIT TRANSACTION;\nSELECT", Reply::Disconnect));
    let files = [("V1__a.sql", "SELECT 1")];
    let lost = runner(server.options(), &files).up().await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::SessionLost);
    server.state().replies.clear();
    runner(server.options(), &files).up().await.unwrap();
    assert_eq!(server.state().applied(), ["1"]);
}

#[tokio::test]
async fn lost_lock_prevents_writes() {
    let server = FakeServer::start().await;
    let mut session = crate::session(&server.options()).await;
    let key = lockage_core::LockKey::default();
    assert!(session.try_lock(&key).await.unwrap());
    server.state().holders.clear();
    assert!(!session.holds(&key).await.unwrap());
    let lost = session.unlock(&key).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::LockLost);
    drop(session);

    // A session that is dropped while a script runs.
    let files = [("V1__a.sql", "SELECT 'long'")];
    let run = tokio::spawn({
        server
            .state()
            .replies
            .push(("SELECT 'long'", Reply::Silence));
        let options = server.options();
        async move { runner(options, &files).up().await }
    });
    server
        .wait_until("the script", |state| {
            state
                .batches
                .iter()
                .any(|(_, text)| text == "SELECT 'long'")
        })
        .await;
    run.abort();
    let _ = run.await;
    server
        .wait_until("the lock to be free", |state| state.holders.is_empty())
        .await;
    assert!(server.state().applied().is_empty());
}
