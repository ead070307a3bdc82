use lockage_core::ErrorKind;
use lockage_sqlserver::lockage_core;

use crate::runner;
use crate::tds::{Reply, Server};

#[tokio::test]
async fn a_connection_that_drops_while_it_holds_loses_the_session_and_frees_the_lock() {
    let server = Server::start().await;
    server.world().answers.push(("SELECT 2", Reply::HangUp));
    let files = [("V1__a.sql", "SELECT 1"), ("V2__b.sql", "SELECT 2")];
    let lost = runner(server.options(), &files).up().await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::SessionLost);
    assert!(lost.is_temporary());
    assert_eq!(lost.report().unwrap().applied.len(), 1);
    assert_eq!(server.world().applied(), ["1"]);
    assert!(server.world().holders.is_empty());
    // Nothing was sent on another connection behind its back.
    assert_eq!(server.world().logins, 1);
    runner(server.options(), &files).up().await.unwrap();
    assert_eq!(server.world().applied(), ["1", "2"]);
}

#[tokio::test]
async fn a_connection_that_drops_at_the_commit_leaves_it_to_the_next_run() {
    let server = Server::start().await;
    server
        .world()
        .answers
        .push(("COMMIT TRANSACTION;\nSELECT", Reply::HangUp));
    let files = [("V1__a.sql", "SELECT 1")];
    let lost = runner(server.options(), &files).up().await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::SessionLost);
    server.world().answers.clear();
    runner(server.options(), &files).up().await.unwrap();
    assert_eq!(server.world().applied(), ["1"]);
}

#[tokio::test]
async fn a_lock_that_was_lost_writes_nothing() {
    let server = Server::start().await;
    let mut session = crate::session(&server.options()).await;
    let key = lockage_core::LockKey::default();
    assert!(session.try_lock(&key).await.unwrap());
    server.world().holders.clear();
    assert!(!session.holds(&key).await.unwrap());
    let lost = session.unlock(&key).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::LockLost);
    drop(session);

    // A session that is dropped in the middle of a script.
    let files = [("V1__a.sql", "SELECT 'long'")];
    let run = tokio::spawn({
        server
            .world()
            .answers
            .push(("SELECT 'long'", Reply::Silence));
        let options = server.options();
        async move { runner(options, &files).up().await }
    });
    server
        .until("the script", |world| {
            world.heard.iter().any(|(_, text)| text == "SELECT 'long'")
        })
        .await;
    run.abort();
    let _ = run.await;
    server
        .until("the lock to be free", |world| world.holders.is_empty())
        .await;
    assert!(server.world().applied().is_empty());
}
