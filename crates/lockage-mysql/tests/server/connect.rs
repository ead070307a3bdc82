//! Connecting, and the errors of a failed connect.

use lockage_mysql::BACKEND;
use lockage_mysql::lockage_core::{ConnectOptions, Error, ErrorKind, Outcome};
use lockage_testkit::{TestError, unique_name};

use crate::direct_client::texts;
use crate::runner::runner;
use crate::test_database::TestDatabase;

crate::test_list::tests!(
    each_scheme_serves_both_products,
    wrong_password_is_permanent_and_not_printed,
    refused_connection_is_temporary,
    missing_database_is_created_on_request,
    schema_option_selects_another_database,
    tls_is_used_if_server_supports_it,
    account_with_ed25519_key_can_log_in,
);

async fn connect_error(url: &str) -> Result<Error, TestError> {
    match BACKEND.connect(&ConnectOptions::new(url)?).await {
        Ok(_) => Err(format!("{url} was accepted").into()),
        Err(error) => Ok(error),
    }
}

async fn each_scheme_serves_both_products(database: &TestDatabase) -> Result<(), TestError> {
    let (_, rest) = database
        .url()
        .split_once(':')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .ok_or("no scheme")?;
    for scheme in ["mysql", "mariadb", "MySQL"] {
        let runner = runner(
            &format!("{scheme}:{rest}"),
            &[("V1__a.sql", "CREATE TABLE a (n INT)")],
        )?;
        runner.up().await?;
    }
    assert_eq!(
        database
            .texts("SELECT version FROM lockage_history")
            .await?,
        ["1"]
    );
    Ok(())
}

async fn wrong_password_is_permanent_and_not_printed(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let (name, _) = database.create_account("ALL PRIVILEGES").await?;
    let wrong = format!(
        "mysql://{name}:hunter2@{}/{}",
        database.host(),
        database.name()
    );
    let unknown = format!(
        "mysql://unknown:hunter2@{}/{}",
        database.host(),
        database.name()
    );
    let errors = [connect_error(&wrong).await?, connect_error(&unknown).await?];
    database.drop_account(&name).await?;
    for error in &errors {
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(!error.is_temporary(), "{error:?}");
        assert!(
            !format!("{error} {error:?}").contains("hunter2"),
            "{error:?}"
        );
        assert!(
            error.hint().is_some_and(|hint| hint.contains("check")),
            "{error:?}"
        );
    }
    assert!(
        errors[0].message().contains("Access denied"),
        "{}",
        errors[0]
    );
    Ok(())
}

async fn refused_connection_is_temporary(_: &TestDatabase) -> Result<(), TestError> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    drop(listener);
    let error = connect_error(&format!("mysql://app@127.0.0.1:{port}/shop")).await?;
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.is_temporary(), "{error:?}");
    Ok(())
}

async fn missing_database_is_created_on_request(database: &TestDatabase) -> Result<(), TestError> {
    let name = unique_name("created");
    let url = database.url_of(&name);
    let error = connect_error(&url).await?;
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(
        !error.is_temporary() && error.hint().is_some_and(|hint| hint.contains("--create")),
        "{error:?}"
    );
    let runner = runner(&url, &[("V1__a.sql", "CREATE TABLE a (n INT)")])?;
    let runner = runner.connect_options(|options| options.create = true);
    let created = runner.up().await;
    let charset = texts(&url, "SELECT @@character_set_database").await;
    database
        .execute_on_server(&format!("DROP DATABASE IF EXISTS {name}"))
        .await?;
    assert_eq!(created?.outcome, Outcome::Applied);
    assert_eq!(charset?, ["utf8mb4"]);
    Ok(())
}

async fn schema_option_selects_another_database(database: &TestDatabase) -> Result<(), TestError> {
    let name = unique_name("schema");
    let files = [
        (
            "V1__a.sql",
            "CREATE TABLE a (n INT); USE information_schema",
        ),
        ("V2__b.sql", "INSERT INTO a VALUES (1)"),
    ];
    let runner = database
        .runner(&files)?
        .connect_options(|options| options.schema = Some(name.clone()));
    let pending = runner.check().await?.outcome;
    let first = runner.up().await;
    let second = runner.up().await;
    let found = texts(&database.url_of(&name), "SELECT n FROM a").await;
    let tables = database.texts("SHOW TABLES").await;
    database
        .execute_on_server(&format!("DROP DATABASE IF EXISTS {name}"))
        .await?;
    assert_eq!(
        (pending, first?.outcome, second?.outcome),
        (Outcome::Pending, Outcome::Applied, Outcome::UpToDate)
    );
    assert_eq!(found?, ["1"]);
    assert_eq!(tables?, [""; 0]);
    Ok(())
}

async fn tls_is_used_if_server_supports_it(database: &TestDatabase) -> Result<(), TestError> {
    let has_tls = database
        .texts("SELECT 1 FROM information_schema.PLUGINS WHERE @@have_ssl = 'YES'")
        .await;
    // MySQL removed the variable; it always supports TLS.
    let has_tls = has_tls.map_or(true, |rows| !rows.is_empty());
    let files = [(
        "V1__a.sql",
        "CREATE TABLE cipher (c VARCHAR(100));
        INSERT INTO cipher SELECT VARIABLE_VALUE FROM STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'",
    )];
    let status = if database.text("SELECT VERSION()").await?.contains("MariaDB") {
        "information_schema.SESSION_STATUS"
    } else {
        "performance_schema.session_status"
    };
    let script = files[0].1.replace("STATUS", status);
    let required = runner(
        &format!("{}?ssl-mode=required", database.url()),
        &[("V1__a.sql", script.as_str())],
    )?
    .up()
    .await;
    if !has_tls {
        assert_eq!(required.unwrap_err().kind(), ErrorKind::Connect);
        return Ok(());
    }
    required?;
    assert_ne!(database.text("SELECT c FROM cipher").await?, "");
    let verified = connect_error(&format!("{}?ssl-mode=verify-ca", database.url())).await?;
    assert_eq!(verified.kind(), ErrorKind::Connect, "{verified:?}");
    Ok(())
}

async fn account_with_ed25519_key_can_log_in(database: &TestDatabase) -> Result<(), TestError> {
    let name: String = lockage_testkit::unique_name("u")
        .chars()
        .rev()
        .take(30)
        .collect();
    // MySQL has no such plug-in, and a MariaDB may lack the file.
    if database
        .execute_on_server("INSTALL SONAME 'auth_ed25519'")
        .await
        .is_err()
        && database
            .texts(
                "SELECT PLUGIN_NAME FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'ed25519'",
            )
            .await?
            .is_empty()
    {
        return Ok(());
    }
    let create =
        format!("CREATE USER '{name}'@'%' IDENTIFIED VIA ed25519 USING PASSWORD('secret')");
    database.execute(&create).await?;
    database
        .execute(&format!(
            "GRANT ALL ON {}.* TO '{name}'@'%'",
            database.name()
        ))
        .await?;
    let url = format!(
        "mysql://{name}:secret@{}/{}",
        database.host(),
        database.name()
    );
    crate::runner::runner(&url, &[("V1__a.sql", "CREATE TABLE t (n INT)")])?
        .up()
        .await?;
    database.drop_account(&name).await
}
