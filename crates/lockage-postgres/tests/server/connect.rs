//! Connecting, and the errors of connecting.

use std::time::Duration;

use lockage_core::{ConnectOptions, Error, ErrorKind, LockWait, Unlocked};
use lockage_postgres::BACKEND;
use lockage_testkit::{TestError, unique_name};
use tokio::net::TcpListener;

use crate::error_checks::{context_contains, error_of, hint_contains};
use crate::tcp_proxy::{Cut, Proxy};
use crate::test_database::TestDatabase;

crate::tests!(
    wrong_password_is_reported_and_hidden,
    missing_database_error_suggests_create,
    concurrent_connects_create_the_database_once,
    create_database_without_privilege_is_an_error,
    silent_server_times_out,
    refused_connection_is_temporary,
    too_many_connections_is_temporary,
    application_name_contains_program_and_host,
    keepalive_settings_are_in_effect_for_each_migration,
    missing_tls_support_is_reported,
    server_without_answer_ends_the_run,
    answer_that_is_not_utf8_is_an_error,
);

async fn connect(options: &ConnectOptions) -> Result<Unlocked, Error> {
    Ok(Unlocked::new(BACKEND.connect(options).await?))
}

/// Connects, which must fail with a connect error.
async fn connect_error(options: &ConnectOptions) -> Result<Error, TestError> {
    let error = connect(options)
        .await
        .err()
        .ok_or("the connection succeeded")?;
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    Ok(error)
}

async fn connect_error_of_url(url: impl Into<String>) -> Result<Error, TestError> {
    connect_error(&ConnectOptions::new(url.into())?).await
}

async fn wrong_password_is_reported_and_hidden(database: &TestDatabase) -> Result<(), TestError> {
    let (role, url) = database.create_role("").await?;
    let error = connect_error_of_url(url.replace(":secret@", ":hunter2@")).await?;
    assert!(!error.is_temporary(), "{error:?}");
    assert!(
        error.message().contains("password") && error.message().contains(&role),
        "{error}"
    );
    assert!(hint_contains(&error, "LOCKAGE_PASSWORD"), "{error:?}");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    let missing = connect_error_of_url(url.replace(":secret@", "@")).await?;
    assert!(missing.message().contains("password missing"), "{missing}");
    assert!(hint_contains(&missing, "--password-file"), "{missing:?}");
    database.drop_role(&role).await
}

async fn missing_database_error_suggests_create(database: &TestDatabase) -> Result<(), TestError> {
    let name = unique_name("missing");
    let error = connect_error_of_url(database.url_of(&name)).await?;
    assert!(
        !error.is_temporary() && error.message().contains(&name),
        "{error:?}"
    );
    assert!(hint_contains(&error, "--create"), "{error:?}");
    Ok(())
}

async fn concurrent_connects_create_the_database_once(
    database: &TestDatabase,
) -> Result<(), TestError> {
    // A name that needs quotes.
    let name = format!("{}-New", unique_name("created"));
    let mut options = ConnectOptions::new(database.url_of(&name))?;
    options.create = true;
    options.connect_timeout = Duration::from_secs(60);
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let options = options.clone();
            tokio::spawn(async move { connect(&options).await?.close().await })
        })
        .collect();
    for client in clients {
        client.await??;
    }
    database
        .execute(&format!("DROP DATABASE \"{name}\" WITH (FORCE)"))
        .await
}

async fn create_database_without_privilege_is_an_error(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let (role, url) = database.create_role("").await?;
    let (server, _) = url.rsplit_once('/').unwrap_or_default();
    let mut options = ConnectOptions::new(format!("{server}/{}", unique_name("missing")))?;
    options.create = true;
    let error = connect_error(&options).await?;
    assert!(hint_contains(&error, "CREATEDB"), "{error:?}");
    database.drop_role(&role).await
}

async fn silent_server_times_out(_: &TestDatabase) -> Result<(), TestError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    let mut options = ConnectOptions::new(format!("postgres://app:hunter2@127.0.0.1:{port}/shop"))?;
    options.connect_timeout = Duration::from_millis(300);
    let error = connect_error(&options).await?;
    assert!(
        error.is_temporary() && error.message().contains("no answer within 0.3 s"),
        "{error:?}"
    );
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    Ok(())
}

async fn refused_connection_is_temporary(_: &TestDatabase) -> Result<(), TestError> {
    let port = TcpListener::bind(("127.0.0.1", 0))
        .await?
        .local_addr()?
        .port();
    let error = connect_error_of_url(format!("postgres://app@127.0.0.1:{port}/shop")).await?;
    assert!(
        error.is_temporary() && error.message().contains("refused"),
        "{error:?}"
    );
    Ok(())
}

async fn too_many_connections_is_temporary(database: &TestDatabase) -> Result<(), TestError> {
    let (role, url) = database.create_role("CONNECTION LIMIT 0").await?;
    let error = connect_error_of_url(url).await?;
    assert!(error.is_temporary(), "{error:?}");
    assert!(context_contains(&error, "sqlstate", "53300"), "{error:?}");
    database.drop_role(&role).await
}

async fn application_name_contains_program_and_host(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let host = lockage_sql::client_host();
    for (parameters, name) in [
        ("", format!("lockage@{host}")),
        ("?application_name=shop", format!("shop lockage@{host}")),
    ] {
        let session = connect(&ConnectOptions::new(database.url() + parameters)?).await?;
        let seen = database
            .texts("SELECT application_name FROM test_schema.sessions")
            .await?;
        assert!(seen.contains(&name), "{seen:?}");
        session.close().await?;
    }
    Ok(())
}

async fn keepalive_settings_are_in_effect_for_each_migration(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let read = "CREATE TABLE seen AS SELECT name, setting FROM pg_settings";
    let read_again = format!("ALTER TABLE seen RENAME TO first; {read}");
    let runner = database.runner(&[("V1__a.sql", read), ("V2__b.sql", &read_again)])?;
    runner.up().await?;
    for table in ["first", "seen"] {
        let seen = database
            .texts(&format!(
                "SELECT name || '=' || setting FROM {table} WHERE name LIKE 'tcp%' OR name LIKE 'client_connection%' ORDER BY 1"
            ))
            .await?;
        let mut expected = vec!["client_connection_check_interval=1000"];
        if database.version().await? < 14 {
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

async fn missing_tls_support_is_reported(database: &TestDatabase) -> Result<(), TestError> {
    if database.text("SHOW ssl").await? == "on" {
        return Ok(());
    }
    let error = connect_error_of_url(database.url() + "?sslmode=require").await?;
    assert!(
        error.message().contains("does not support TLS") && !error.is_temporary(),
        "{error:?}"
    );
    assert!(hint_contains(&error, "sslmode"), "{error:?}");
    connect(&ConnectOptions::new(database.url() + "?sslmode=prefer")?)
        .await?
        .close()
        .await?;
    Ok(())
}

async fn server_without_answer_ends_the_run(database: &TestDatabase) -> Result<(), TestError> {
    let proxy = Proxy::start(database.host()).await?;
    let url = |proxy: &Proxy| proxy.url(database) + "?sslmode=disable&connect_timeout=1";
    BACKEND
        .connect(&ConnectOptions::new(url(&proxy))?)
        .await?
        .close()
        .await?;
    let connect = proxy.round_trips();
    for request in [1, 2, 3] {
        let proxy = Proxy::start(database.host()).await?;
        proxy.cut_at(Cut::Stall(connect + request));
        let runner = crate::migrations::runner(&url(&proxy), &[("V1__a.sql", "SELECT 1")])?
            .wait(LockWait::Never);
        let ended = tokio::time::timeout(Duration::from_secs(60), runner.up()).await;
        assert!(ended.is_ok(), "request {request}");
        assert!(!proxy.is_cut_pending(), "request {request}");
    }
    Ok(())
}

async fn answer_that_is_not_utf8_is_an_error(database: &TestDatabase) -> Result<(), TestError> {
    let name = unique_name("ascii");
    database
        .execute(&format!(
            "CREATE DATABASE {name} ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        ))
        .await?;
    let runner = crate::migrations::runner(&database.url_of(&name), &[("V1__a.sql", "SELECT 1")])?;
    runner.up().await?;
    let client = crate::sql_client::connect(&database.url_of(&name)).await?;
    client
        .batch_execute(r"UPDATE lockage_history SET name = E'\xff'")
        .await?;
    let error = error_of(runner.check().await, ErrorKind::Unexpected)?;
    assert!(error.message().contains("UTF"), "{error}");
    drop(client);
    database
        .execute(&format!("DROP DATABASE {name} WITH (FORCE)"))
        .await
}
