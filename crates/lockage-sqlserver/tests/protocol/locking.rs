use lockage_core::{ErrorKind, LockKey, LockStrategy, LockWait};
use lockage_sqlserver::lockage_core;

use crate::fake_server::{FakeServer, Reply, done, error, rows};
use crate::{runner, session};

#[tokio::test]
async fn lock_return_codes_are_mapped() {
    let server = FakeServer::start().await;
    let key = LockKey::default();
    for (code, granted) in [("0", true), ("1", true), ("-1", false), ("-3", false)] {
        server.state().lock_codes.push_back(Some(code));
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
        server.state().lock_codes.push_back(code);
        let mut session = session(&server.options()).await;
        let error = session.try_lock(&key).await.unwrap_err();
        assert_eq!(error.kind(), kind, "code {code:?}: {error}");
        if kind == ErrorKind::Unsupported {
            let code = code.unwrap_or("NULL");
            assert!(
                error.message().contains(&format!("returned {code} ")),
                "{error}"
            );
        }
    }
    assert!(server.state().holders.is_empty());
}

#[tokio::test]
async fn granted_lock_without_holder_is_an_error() {
    let server = FakeServer::start().await;
    server.state().forgets_locks = true;
    let error = runner(server.options(), &[("V1__a.sql", "SELECT 1")])
        .up()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(server.state().scripts().is_empty());
    assert_eq!(server.state().history, None);
}

#[tokio::test]
async fn missing_lock_permission_names_the_grant() {
    let server = FakeServer::start().await;
    let cases = [(229, "GRANT EXECUTE"), (1202, "db_principal=")];
    for (number, hint) in cases {
        server.state().lock_error = Some(error(number, "no", 1));
        let mut session = session(&server.options()).await;
        let error = session.try_lock(&LockKey::default()).await.unwrap_err();
        assert!(
            error.hint().is_some_and(|text| text.contains(hint)),
            "{number}: {error:?}"
        );
    }
}

#[tokio::test]
async fn engine_without_app_locks_uses_table_lock() {
    let server = FakeServer::start().await;
    let no_such_procedure = || Some(error(2812, "Could not find stored procedure", 1));
    let used_table = |server: &FakeServer| {
        let state = server.state();
        let names_table = |(_, text): &(u32, String)| text.contains("lockage_lock");
        state.batches.iter().any(names_table)
    };

    server.state().lock_error = no_such_procedure();
    let mut advisory = server.options();
    advisory.lock_strategy = LockStrategy::Advisory;
    let error = session(&advisory)
        .await
        .try_lock(&LockKey::default())
        .await
        .unwrap_err();
    let hint = error.hint().unwrap_or_default();
    assert!(hint.contains("--lock-strategy table"), "{error:?}");
    assert!(!used_table(&server));

    server.state().lock_error = no_such_procedure();
    // The fake server does not support the lock in a table. Only the request matters.
    let _ = session(&server.options())
        .await
        .try_lock(&LockKey::default())
        .await;
    assert!(used_table(&server));
}

#[tokio::test]
async fn lock_request_names_all_parameters_and_skips_held_lock() {
    let server = FakeServer::start().await;
    let mut session = session(&server.options()).await;
    let key = LockKey::named("orders").unwrap();
    assert!(session.try_lock(&key).await.unwrap());
    let request = server.state().batches.last().unwrap().1.clone();
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
async fn unlisted_holder_is_reported() {
    let server = FakeServer::start().await;
    let mut holder = session(&server.options()).await;
    let key = LockKey::default();
    assert!(holder.try_lock(&key).await.unwrap());
    let mut other = session(&server.options()).await;
    server.state().replies.push((
        "sys.dm_tran_locks",
        Reply::Tokens(
            [
                error(300, "VIEW SERVER STATE permission was denied", 1),
                done(2),
            ]
            .concat(),
        ),
    ));
    server.state().replies.push((
        "APPLOCK_TEST",
        Reply::Tokens([rows(&[vec![Some("0"), Some("2")]], 2), done(0)].concat()),
    ));
    let found = other.holder(&key).await.unwrap().unwrap();
    assert!(found.application.unwrap().contains("VIEW SERVER STATE"));
    drop(holder);
}

#[tokio::test]
async fn waiting_run_acquires_released_lock() {
    let server = FakeServer::start().await;
    let mut holder = session(&server.options()).await;
    assert!(holder.try_lock(&LockKey::default()).await.unwrap());
    let options = server.options();
    let waiting =
        tokio::spawn(async move { runner(options, &[("V1__a.sql", "SELECT 1")]).up().await });
    server
        .wait_until("a second request of the waiting run", |state| {
            state
                .batches
                .iter()
                .filter(|(session, text)| *session == 2 && text.contains("sp_getapplock"))
                .count()
                > 1
        })
        .await;
    assert!(server.state().scripts().is_empty());
    // The session ends without a message, as if its process was killed.
    drop(holder);
    waiting.await.unwrap().unwrap();
    assert_eq!(server.state().applied(), ["1"]);

    let mut holder = session(&server.options()).await;
    assert!(holder.try_lock(&LockKey::default()).await.unwrap());
    let not_waiting = runner(
        server.options(),
        &[("V1__a.sql", "SELECT 1"), ("V2__b.sql", "SELECT 2")],
    )
    .wait(LockWait::Never);
    assert_eq!(
        not_waiting.up().await.unwrap_err().kind(),
        ErrorKind::LockTimeout
    );
}
