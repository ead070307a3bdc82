use lockage_core::{ErrorKind, LockKey, LockStrategy, LockWait};
use lockage_sqlserver::lockage_core;

use crate::tds::{Reply, Server, done, error, rows};
use crate::{runner, session};

#[tokio::test]
async fn every_code_of_the_lock_is_read() {
    let server = Server::start().await;
    let key = LockKey::default();
    for (code, granted) in [("0", true), ("1", true), ("-1", false), ("-3", false)] {
        server.world().codes.push_back(Some(code));
        let mut session = session(&server.options()).await;
        assert_eq!(
            session.try_lock(&key).await.unwrap(),
            granted,
            "code {code}"
        );
        assert_eq!(session.holds(&key).await.unwrap(), granted, "code {code}");
        if granted {
            session.unlock(&key).await.unwrap();
        }
        let lost = session.unlock(&key).await.unwrap_err();
        assert_eq!(lost.kind(), ErrorKind::LockLost);
    }
    for (code, kind) in [
        (Some("-2"), ErrorKind::Interrupted),
        (Some("-999"), ErrorKind::Unsupported),
        (Some("7"), ErrorKind::Unsupported),
        (None, ErrorKind::Unsupported),
    ] {
        server.world().codes.push_back(code);
        let mut session = session(&server.options()).await;
        let error = session.try_lock(&key).await.unwrap_err();
        assert_eq!(error.kind(), kind, "code {code:?}: {error}");
        if kind == ErrorKind::Unsupported {
            let code = code.unwrap_or("NULL");
            assert!(
                error.message().contains(&format!("answered {code} ")),
                "{error}"
            );
        }
    }
    assert!(server.world().holders.is_empty());
}

#[tokio::test]
async fn a_lock_that_is_granted_and_not_held_is_found_out() {
    let server = Server::start().await;
    server.world().forgetful = true;
    let error = runner(server.options(), &[("V1__a.sql", "SELECT 1")])
        .up()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(server.world().scripts().is_empty());
    assert_eq!(server.world().history, None);
}

#[tokio::test]
async fn no_right_to_the_lock_says_what_to_grant() {
    let server = Server::start().await;
    let refused = [(229, "GRANT EXECUTE"), (1202, "db_principal=")];
    for (number, hint) in refused {
        server.world().lock_error = Some(error(number, "no", 1));
        let mut session = session(&server.options()).await;
        let error = session.try_lock(&LockKey::default()).await.unwrap_err();
        assert!(
            error.hint().is_some_and(|told| told.contains(hint)),
            "{number}: {error:?}"
        );
    }
}

#[tokio::test]
async fn an_engine_without_such_locks_gets_a_row_in_a_table() {
    let server = Server::start().await;
    let unknown = || Some(error(2812, "Could not find stored procedure", 1));
    let asked_for_row = |server: &Server| {
        let world = server.world();
        let asked = |(_, text): &(u32, String)| text.contains("lockage_lock");
        world.heard.iter().any(asked)
    };

    server.world().lock_error = unknown();
    let mut advisory = server.options();
    advisory.lock_strategy = LockStrategy::Advisory;
    let error = session(&advisory)
        .await
        .try_lock(&LockKey::default())
        .await
        .unwrap_err();
    let hint = error.hint().unwrap_or_default();
    assert!(hint.contains("--lock-strategy table"), "{error:?}");
    assert!(!asked_for_row(&server));

    server.world().lock_error = unknown();
    // What this server answers to that is not the point.
    let _ = session(&server.options())
        .await
        .try_lock(&LockKey::default())
        .await;
    assert!(asked_for_row(&server));
}

#[tokio::test]
async fn a_request_is_explicit_and_a_lock_that_is_held_is_not_taken_twice() {
    let server = Server::start().await;
    let mut session = session(&server.options()).await;
    let key = LockKey::named("orders").unwrap();
    assert!(session.try_lock(&key).await.unwrap());
    let request = server.world().heard.last().unwrap().1.clone();
    for part in [
        "@Resource = N'orders'",
        "@LockMode = N'Exclusive'",
        "@LockOwner = N'Session'",
        "@LockTimeout = 1000",
        "@DbPrincipal = N'public'",
        "IF COALESCE(APPLOCK_MODE(N'public', N'orders', N'Session'), N'NoLock') <> N'Exclusive' EXEC",
    ] {
        assert!(request.contains(part), "{part} in {request}");
    }
}

#[tokio::test]
async fn a_holder_that_is_not_listed_is_still_told_of() {
    let server = Server::start().await;
    let mut holder = session(&server.options()).await;
    let key = LockKey::default();
    assert!(holder.try_lock(&key).await.unwrap());
    let mut other = session(&server.options()).await;
    server.world().answers.push((
        "sys.dm_tran_locks",
        Reply::Tokens(
            [
                error(300, "VIEW SERVER STATE permission was denied", 1),
                done(2),
            ]
            .concat(),
        ),
    ));
    server.world().answers.push((
        "APPLOCK_TEST",
        Reply::Tokens([rows(&[vec![Some("0"), Some("2")]], 2), done(0)].concat()),
    ));
    let told = other.holder(&key).await.unwrap().unwrap();
    assert!(told.application.unwrap().contains("VIEW SERVER STATE"));
    drop(holder);
}

#[tokio::test]
async fn who_waits_gets_the_lock_when_it_is_free() {
    let server = Server::start().await;
    let mut holder = session(&server.options()).await;
    assert!(holder.try_lock(&LockKey::default()).await.unwrap());
    let options = server.options();
    let waiting =
        tokio::spawn(async move { runner(options, &[("V1__a.sql", "SELECT 1")]).up().await });
    server
        .until("a request of the waiter's", |world| {
            world
                .heard
                .iter()
                .filter(|(session, text)| *session == 2 && text.contains("sp_getapplock"))
                .count()
                > 1
        })
        .await;
    assert!(server.world().scripts().is_empty());
    // The session ends without a word, as that of a process that was killed.
    drop(holder);
    waiting.await.unwrap().unwrap();
    assert_eq!(server.world().applied(), ["1"]);

    let mut holder = session(&server.options()).await;
    assert!(holder.try_lock(&LockKey::default()).await.unwrap());
    let hasty = runner(
        server.options(),
        &[("V1__a.sql", "SELECT 1"), ("V2__b.sql", "SELECT 2")],
    )
    .wait(LockWait::Never);
    assert_eq!(hasty.up().await.unwrap_err().kind(), ErrorKind::LockTimeout);
}
