//! The way in.

use lockage_sqlserver::lockage_core::{ErrorKind, Outcome};
use lockage_testkit::{TestError, unique_name};

use crate::place::{Place, ensure, options, runner};
use crate::witness::{execute, with_database};

crate::tests![
    an_ado_string_leads_to_the_same_database,
    a_certificate_that_nobody_knows_is_refused,
    a_wrong_password_is_told,
    a_database_that_is_not_there_is_told_and_made_when_asked_for,
    a_login_of_another_database_is_told,
];

const FILES: [(&str, &str); 1] = [("V1__a.sql", "CREATE TABLE seen (n INT)")];

/// Host and port, user, password.
fn parts(url: &str) -> Result<(&str, &str, &str), TestError> {
    let rest = url.split_once("://").ok_or("a URL")?.1;
    let (user, rest) = rest.rsplit_once('@').ok_or("a URL without a user")?;
    let (user, password) = user.split_once(':').ok_or("a URL without a password")?;
    let host = rest.split(['/', '?']).next().unwrap_or(rest);
    Ok((host, user, password))
}

async fn an_ado_string_leads_to_the_same_database(place: &Place) -> Result<(), TestError> {
    let (host, user, password) = parts(&place.url)?;
    let (server, database) = (host.replace(':', ","), &place.name);
    let ado = format!(
        "sqlserver:Server=tcp:{server};Initial Catalog={database};User Id={user};Password='{password}';Encrypt=True;\
         TrustServerCertificate=True;Application Name={{a till}};Connection Timeout=30"
    );
    runner(options(&ado)?, &FILES)?.up().await?;
    ensure(
        place.applied("lockage_history").await? == ["1"],
        "the history",
    )?;
    let again = runner(place.options()?, &FILES)?.up().await?;
    ensure(again.outcome == Outcome::UpToDate, format!("{again:?}"))
}

async fn a_certificate_that_nobody_knows_is_refused(place: &Place) -> Result<(), TestError> {
    let (url, _) = place.url.split_once('?').unwrap_or((&place.url, ""));
    match runner(options(url)?, &FILES)?.up().await {
        Err(error)
            if error.kind() == ErrorKind::Connect
                && error
                    .hint()
                    .is_some_and(|hint| hint.contains("trust_server_certificate")) =>
        {
            Ok(())
        }
        // A server with a certificate that an authority signed.
        Ok(_) => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

async fn a_wrong_password_is_told(place: &Place) -> Result<(), TestError> {
    let (_, _, password) = parts(&place.url)?;
    let wrong = place
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

async fn a_database_that_is_not_there_is_told_and_made_when_asked_for(
    place: &Place,
) -> Result<(), TestError> {
    let name = unique_name("place");
    let url = with_database(&place.server, &name);
    match runner(options(&url)?, &FILES)?.up().await {
        Err(error) if error.kind() == ErrorKind::Connect && error.is_database_missing() => {}
        other => return Err(format!("{other:?}").into()),
    }
    let mut create = options(&url)?;
    create.create = true;
    let made = runner(create, &FILES)?.up().await;
    let made_place = Place {
        url,
        server: place.server.clone(),
        name,
    };
    made_place.remove().await?;
    ensure(made?.applied.len() == 1, "nothing was applied")
}

async fn a_login_of_another_database_is_told(place: &Place) -> Result<(), TestError> {
    let user = unique_name("u");
    let make = format!("CREATE LOGIN {user} WITH PASSWORD = 'Secret-4-all'");
    execute(&place.server, &make).await?;
    let (_, rest) = place.url.rsplit_once('@').ok_or("a URL without a user")?;
    let url = format!("sqlserver://{user}:Secret-4-all@{rest}");
    let refused = runner(options(&url)?, &FILES)?.up().await;
    execute(&place.server, &format!("DROP LOGIN {user}")).await?;
    match refused {
        Err(error) if error.kind() == ErrorKind::Connect && !error.is_database_missing() => ensure(
            error.hint().is_some_and(|hint| hint.contains("login")),
            format!("{error:?}"),
        ),
        other => Err(format!("{other:?}").into()),
    }
}
