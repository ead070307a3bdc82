//! Getting a session, and being told why there is none.

use std::time::Duration;

use lockage_core::{ConnectOptions, Error, ErrorKind, Unlocked};
use lockage_postgres::BACKEND;
use lockage_testkit::{TestError, unique_name};
use tokio::net::TcpListener;

use crate::place::Place;

crate::tests!(
    a_wrong_password_is_told_and_not_shown,
    a_missing_database_is_told_with_what_makes_it,
    a_database_is_made_once_however_many_want_it,
    a_user_who_may_not_make_databases_is_told,
    a_server_that_does_not_answer_is_given_up,
    a_port_that_nobody_listens_to_is_worth_another_try,
    too_many_connections_are_worth_another_try,
    the_session_is_named_after_program_and_host,
    the_server_looks_after_the_connection_once_there_is_a_lock_to_free,
    tls_is_told_to_be_missing,
);

async fn connect(options: &ConnectOptions) -> Result<Unlocked, Error> {
    Ok(Unlocked::new(BACKEND.connect(options).await?))
}

async fn refused(url: String) -> Result<Error, TestError> {
    match connect(&ConnectOptions::new(url)?).await {
        Ok(_) => Err("the server let us in".into()),
        Err(error) => Ok(error),
    }
}

async fn a_wrong_password_is_told_and_not_shown(place: &Place) -> Result<(), TestError> {
    let (role, url) = place.role("").await?;
    let error = refused(url.replace(":secret@", ":hunter2@")).await?;
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(!error.is_temporary(), "{error:?}");
    assert!(
        error.message().contains("password") && error.message().contains(&role),
        "{error}"
    );
    assert!(
        error
            .hint()
            .is_some_and(|hint| hint.contains("LOCKAGE_PASSWORD")),
        "{error:?}"
    );
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    let none = refused(url.replace(":secret@", "@")).await?;
    assert!(none.message().contains("password missing"), "{none}");
    assert!(
        none.hint()
            .is_some_and(|hint| hint.contains("--password-file")),
        "{none:?}"
    );
    place.drop_role(&role).await
}

async fn a_missing_database_is_told_with_what_makes_it(place: &Place) -> Result<(), TestError> {
    let name = unique_name("missing");
    let error = refused(place.url_of(&name)).await?;
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(
        !error.is_temporary() && error.message().contains(&name),
        "{error:?}"
    );
    assert!(
        error.hint().is_some_and(|hint| hint.contains("--create")),
        "{error:?}"
    );
    Ok(())
}

async fn a_database_is_made_once_however_many_want_it(place: &Place) -> Result<(), TestError> {
    // A name that needs quotes.
    let name = format!("{}-New", unique_name("made"));
    let mut options = ConnectOptions::new(place.url_of(&name))?;
    options.create = true;
    options.connect_timeout = Duration::from_secs(60);
    let all: Vec<_> = (0..8)
        .map(|_| {
            let options = options.clone();
            tokio::spawn(async move { connect(&options).await?.close().await })
        })
        .collect();
    for one in all {
        one.await??;
    }
    place
        .execute(&format!("DROP DATABASE \"{name}\" WITH (FORCE)"))
        .await
}

async fn a_user_who_may_not_make_databases_is_told(place: &Place) -> Result<(), TestError> {
    let (role, url) = place.role("").await?;
    let (server, _) = url.rsplit_once('/').unwrap_or_default();
    let mut options = ConnectOptions::new(format!("{server}/{}", unique_name("missing")))?;
    options.create = true;
    let error = connect(&options)
        .await
        .err()
        .ok_or("a user without rights made a database")?;
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(
        error.hint().is_some_and(|hint| hint.contains("CREATEDB")),
        "{error:?}"
    );
    place.drop_role(&role).await
}

async fn a_server_that_does_not_answer_is_given_up(_: &Place) -> Result<(), TestError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    let mut options = ConnectOptions::new(format!("postgres://app:hunter2@127.0.0.1:{port}/shop"))?;
    options.connect_timeout = Duration::from_millis(300);
    let error = connect(&options).await.err().ok_or("somebody answered")?;
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(
        error.is_temporary() && error.message().contains("no answer within 0.3 s"),
        "{error:?}"
    );
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    Ok(())
}

async fn a_port_that_nobody_listens_to_is_worth_another_try(_: &Place) -> Result<(), TestError> {
    let port = TcpListener::bind(("127.0.0.1", 0))
        .await?
        .local_addr()?
        .port();
    let error = refused(format!("postgres://app@127.0.0.1:{port}/shop")).await?;
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(
        error.is_temporary() && error.message().contains("refused"),
        "{error:?}"
    );
    Ok(())
}

async fn too_many_connections_are_worth_another_try(place: &Place) -> Result<(), TestError> {
    let (role, url) = place.role("CONNECTION LIMIT 0").await?;
    let error = refused(url).await?;
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.is_temporary(), "{error:?}");
    assert!(
        error.context().any(|pair| pair == ("sqlstate", "53300")),
        "{error:?}"
    );
    place.drop_role(&role).await
}

async fn the_session_is_named_after_program_and_host(place: &Place) -> Result<(), TestError> {
    let host = lockage_sql::client_host();
    for (parameters, name) in [
        ("", format!("lockage@{host}")),
        ("?application_name=shop", format!("shop lockage@{host}")),
    ] {
        let session = connect(&ConnectOptions::new(place.url() + parameters)?).await?;
        let seen = place
            .texts("SELECT application_name FROM here.sessions")
            .await?;
        assert!(seen.contains(&name), "{seen:?}");
        session.close().await?;
    }
    Ok(())
}

async fn the_server_looks_after_the_connection_once_there_is_a_lock_to_free(
    place: &Place,
) -> Result<(), TestError> {
    let look = "CREATE TABLE seen AS SELECT name, setting FROM pg_settings";
    let runner = place.runner(&[("V1__a.sql", look), ("V2__b.sql", "ALTER TABLE seen RENAME TO first; CREATE TABLE seen AS SELECT name, setting FROM pg_settings")])?;
    runner.up().await?;
    for table in ["first", "seen"] {
        let seen = place
            .texts(&format!(
                "SELECT name || '=' || setting FROM {table} WHERE name LIKE 'tcp%' OR name LIKE 'client_connection%' ORDER BY 1"
            ))
            .await?;
        let mut expected = vec!["client_connection_check_interval=1000"];
        if place
            .text("SHOW server_version_num")
            .await?
            .parse::<u32>()?
            < 140_000
        {
            expected.clear();
        }
        expected.extend([
            "tcp_keepalives_count=3",
            "tcp_keepalives_idle=5",
            "tcp_keepalives_interval=2",
            "tcp_user_timeout=8000",
        ]);
        assert_eq!(seen, expected, "{table}");
    }
    Ok(())
}

async fn tls_is_told_to_be_missing(place: &Place) -> Result<(), TestError> {
    if place.text("SHOW ssl").await? == "on" {
        return Ok(());
    }
    let error = refused(place.url() + "?sslmode=require").await?;
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(
        error.message().contains("does not support TLS") && !error.is_temporary(),
        "{error:?}"
    );
    assert!(
        error.hint().is_some_and(|hint| hint.contains("sslmode")),
        "{error:?}"
    );
    connect(&ConnectOptions::new(place.url() + "?sslmode=prefer")?)
        .await?
        .close()
        .await?;
    Ok(())
}
