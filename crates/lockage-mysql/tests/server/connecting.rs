//! From a URL to a session, and what is in the way.

use lockage_mysql::BACKEND;
use lockage_mysql::lockage_core::{ConnectOptions, Error, ErrorKind, Outcome};
use lockage_testkit::{Failure, unique_name};

use crate::place::{Place, runner};
use crate::witness::texts;

crate::tests!(
    either_scheme_serves_either_server,
    a_wrong_password_is_final_and_not_shown,
    nobody_who_listens_is_worth_another_try,
    a_database_that_does_not_exist_is_made_when_asked,
    a_schema_is_another_database,
    tls_is_used_where_the_server_has_it,
);

async fn refused(url: &str) -> Result<Error, Failure> {
    match BACKEND.connect(&ConnectOptions::new(url)?).await {
        Ok(_) => Err(format!("{url} let us in").into()),
        Err(error) => Ok(error),
    }
}

async fn either_scheme_serves_either_server(place: &Place) -> Result<(), Failure> {
    let (_, rest) = place
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
        place.texts("SELECT version FROM lockage_history").await?,
        ["1"]
    );
    Ok(())
}

async fn a_wrong_password_is_final_and_not_shown(place: &Place) -> Result<(), Failure> {
    let (name, _) = place.account("ALL PRIVILEGES").await?;
    let wrong = format!("mysql://{name}:hunter2@{}/{}", place.host(), place.name());
    let nobody = format!("mysql://nobody:hunter2@{}/{}", place.host(), place.name());
    let errors = [refused(&wrong).await?, refused(&nobody).await?];
    place.drop_account(&name).await?;
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

async fn nobody_who_listens_is_worth_another_try(_: &Place) -> Result<(), Failure> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    drop(listener);
    let error = refused(&format!("mysql://app@127.0.0.1:{port}/shop")).await?;
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.is_temporary(), "{error:?}");
    Ok(())
}

async fn a_database_that_does_not_exist_is_made_when_asked(place: &Place) -> Result<(), Failure> {
    let name = unique_name("made");
    let url = place.url_of(&name);
    let error = refused(&url).await?;
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(
        !error.is_temporary() && error.hint().is_some_and(|hint| hint.contains("--create")),
        "{error:?}"
    );
    let runner = runner(&url, &[("V1__a.sql", "CREATE TABLE a (n INT)")])?;
    let runner = runner.connect_options(|options| options.create = true);
    let made = runner.up().await;
    let charset = texts(&url, "SELECT @@character_set_database").await;
    place
        .execute_at_the_server(&format!("DROP DATABASE IF EXISTS {name}"))
        .await?;
    assert_eq!(made?.outcome, Outcome::Applied);
    assert_eq!(charset?, ["utf8mb4"]);
    Ok(())
}

async fn a_schema_is_another_database(place: &Place) -> Result<(), Failure> {
    let name = unique_name("schema");
    let files = [
        (
            "V1__a.sql",
            "CREATE TABLE a (n INT); USE information_schema",
        ),
        ("V2__b.sql", "INSERT INTO a VALUES (1)"),
    ];
    let runner = place
        .runner(&files)?
        .connect_options(|options| options.schema = Some(name.clone()));
    let pending = runner.check().await?.outcome;
    let made = runner.up().await;
    let again = runner.up().await;
    let found = texts(&place.url_of(&name), "SELECT n FROM a").await;
    let tables = place.texts("SHOW TABLES").await;
    place
        .execute_at_the_server(&format!("DROP DATABASE IF EXISTS {name}"))
        .await?;
    assert_eq!(
        (pending, made?.outcome, again?.outcome),
        (Outcome::Pending, Outcome::Applied, Outcome::UpToDate)
    );
    assert_eq!(found?, ["1"]);
    assert_eq!(tables?, [""; 0]);
    Ok(())
}

async fn tls_is_used_where_the_server_has_it(place: &Place) -> Result<(), Failure> {
    let has = place
        .texts("SELECT 1 FROM information_schema.PLUGINS WHERE @@have_ssl = 'YES'")
        .await;
    // MySQL no longer has the variable, and always has TLS.
    let has = has.map_or(true, |rows| !rows.is_empty());
    let files = [(
        "V1__a.sql",
        "CREATE TABLE cipher (c VARCHAR(100));
        INSERT INTO cipher SELECT VARIABLE_VALUE FROM STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'",
    )];
    let status = if place.text("SELECT VERSION()").await?.contains("MariaDB") {
        "information_schema.SESSION_STATUS"
    } else {
        "performance_schema.session_status"
    };
    let script = files[0].1.replace("STATUS", status);
    let required = runner(
        &format!("{}?ssl-mode=required", place.url()),
        &[("V1__a.sql", script.as_str())],
    )?
    .up()
    .await;
    if !has {
        assert_eq!(required.unwrap_err().kind(), ErrorKind::Connect);
        return Ok(());
    }
    required?;
    assert_ne!(place.text("SELECT c FROM cipher").await?, "");
    let verified = refused(&format!("{}?ssl-mode=verify-ca", place.url())).await?;
    assert_eq!(verified.kind(), ErrorKind::Connect, "{verified:?}");
    Ok(())
}
