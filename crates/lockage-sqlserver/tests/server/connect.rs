//! Connecting: URLs, certificates, logins and missing databases.

use lockage_sqlserver::lockage_core::{ErrorKind, Outcome};
use lockage_testkit::{TestError, unique_name};

use crate::direct_client::{drop_database, execute, with_database};
use crate::test_database::{TestDatabase, ensure, options, runner};

crate::tests![
    ado_string_connects_to_same_database,
    untrusted_certificate_is_rejected,
    wrong_password_is_reported,
    missing_database_is_reported_and_created_on_request,
    login_without_database_access_is_reported,
];

const FILES: [(&str, &str); 1] = [("V1__a.sql", "CREATE TABLE seen (n INT)")];

/// Returns host and port, user and password of a URL.
fn parts(url: &str) -> Result<(&str, &str, &str), TestError> {
    let rest = url.split_once("://").ok_or("the URL has no scheme")?.1;
    let (user, rest) = rest.rsplit_once('@').ok_or("the URL has no user")?;
    let (user, password) = user.split_once(':').ok_or("the URL has no password")?;
    let host = rest.split(['/', '?']).next().unwrap_or(rest);
    Ok((host, user, password))
}

async fn ado_string_connects_to_same_database(database: &TestDatabase) -> Result<(), TestError> {
    let (host, user, password) = parts(&database.url)?;
    let (server, name) = (host.replace(':', ","), &database.name);
    let ado = format!(
        "sqlserver:Server=tcp:{server};Initial Catalog={name};User Id={user};Password='{password}';Encrypt=True;\
         TrustServerCertificate=True;Application Name={{a till}};Connection Timeout=30"
    );
    runner(options(&ado)?, &FILES)?.up().await?;
    ensure(
        database.applied("lockage_history").await? == ["1"],
        "the history",
    )?;
    let again = runner(database.options()?, &FILES)?.up().await?;
    ensure(again.outcome == Outcome::UpToDate, format!("{again:?}"))
}

async fn untrusted_certificate_is_rejected(database: &TestDatabase) -> Result<(), TestError> {
    let (url, _) = database.url.split_once('?').unwrap_or((&database.url, ""));
    match runner(options(url)?, &FILES)?.up().await {
        Err(error)
            if error.kind() == ErrorKind::Connect
                && error
                    .hint()
                    .is_some_and(|hint| hint.contains("trust_server_certificate")) =>
        {
            Ok(())
        }
        // The server's certificate is signed by a trusted authority.
        Ok(_) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

async fn wrong_password_is_reported(database: &TestDatabase) -> Result<(), TestError> {
    let (_, _, password) = parts(&database.url)?;
    let wrong = database
        .url
        .replace(&format!(":{password}@"), ":Wrong-4-sure@");
    match runner(options(&wrong)?, &FILES)?.up().await {
        Err(error)
            if error.kind() == ErrorKind::Connect
                && !error.is_temporary()
                && !format!("{error:?}").contains("Wrong-4-sure") =>
        {
            ensure(
                error.hint().is_some_and(|hint| hint.contains("password")),
                format!("{error:?}"),
            )
        }
        other => Err(format!("{other:?}").into()),
    }
}

async fn missing_database_is_reported_and_created_on_request(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let name = unique_name("test");
    let url = with_database(&database.server, &name);
    match runner(options(&url)?, &FILES)?.up().await {
        Err(error) if error.kind() == ErrorKind::Connect && error.is_database_missing() => {}
        other => return Err(format!("{other:?}").into()),
    }
    let mut create = options(&url)?;
    create.create = true;
    let report = runner(create, &FILES)?.up().await;
    drop_database(&database.server, &name).await?;
    ensure(report?.applied.len() == 1, "nothing was applied")
}

async fn login_without_database_access_is_reported(
    database: &TestDatabase,
) -> Result<(), TestError> {
    let user = unique_name("u");
    let create = format!("CREATE LOGIN {user} WITH PASSWORD = 'Secret-4-all'");
    execute(&database.server, &create).await?;
    let (_, rest) = database.url.rsplit_once('@').ok_or("the URL has no user")?;
    let url = format!("sqlserver://{user}:Secret-4-all@{rest}");
    let result = runner(options(&url)?, &FILES)?.up().await;
    execute(&database.server, &format!("DROP LOGIN {user}")).await?;
    match result {
        Err(error) if error.kind() == ErrorKind::Connect && !error.is_database_missing() => ensure(
            error.hint().is_some_and(|hint| hint.contains("login")),
            format!("{error:?}"),
        ),
        other => Err(format!("{other:?}").into()),
    }
}
