use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;

use lockage_core::DatabaseUrl;

use super::PostgresServer;
use crate::Failure;

/// PostgreSQL for tests: at a URL, or from binaries, of which a server is started when it is first needed.
///
/// ```no_run
/// # #![allow(clippy::disallowed_methods)]
/// use lockage_testkit::engine::PostgresOrigin;
///
/// let url = std::env::var("LOCKAGE_TEST_POSTGRES_URL").ok();
/// let path = std::env::var("PATH").unwrap_or_default();
/// match PostgresOrigin::find(url, &path) {
///     Ok(origin) => println!("{origin}: {}", origin.url().unwrap()),
///     Err(reason) => println!("left out: {reason}"),
/// }
/// ```
#[derive(Debug)]
pub struct PostgresOrigin(Origin);

#[derive(Debug)]
enum Origin {
    Url(DatabaseUrl),
    Binaries(PathBuf, OnceLock<Result<PostgresServer, String>>),
}

impl PostgresOrigin {
    /// Takes the URL if there is one, else the newest binaries that are installed or stand in `search_path`, as `PATH` writes it. Starts
    /// nothing. The URL is a superuser's, since fixtures make and drop databases.
    ///
    /// # Errors
    /// The reason, for [`Fixture::lacks`](crate::Fixture::lacks), when there is neither, or when the URL is none.
    pub fn find(url: Option<String>, search_path: &str) -> Result<Self, String> {
        if let Some(url) = url.filter(|url| !url.is_empty()) {
            let url = DatabaseUrl::parse(url).map_err(|error| crate::told(&error))?;
            return Ok(Self(Origin::Url(url)));
        }
        match PostgresServer::find(search_path) {
            Some(binaries) => Ok(Self(Origin::Binaries(binaries, OnceLock::new()))),
            None => Err(
                "no PostgreSQL: set LOCKAGE_TEST_POSTGRES_URL, or install the server's package"
                    .into(),
            ),
        }
    }

    /// The URL. Where there are only binaries, the first call starts the server, and blocks for some seconds, as each call beside it does. The
    /// server is stopped when this value is dropped.
    ///
    /// # Errors
    /// As [`PostgresServer::start`]; a start that failed is not tried again.
    pub fn url(&self) -> Result<String, Failure> {
        match &self.0 {
            Origin::Url(url) => Ok(url.expose().to_owned()),
            Origin::Binaries(binaries, server) => server
                .get_or_init(|| {
                    PostgresServer::start(binaries, &[]).map_err(|failure| crate::told(&*failure))
                })
                .as_ref()
                .map(|server| server.url("postgres"))
                .map_err(|failure| failure.clone().into()),
        }
    }
}

/// Where it comes from, without a password.
impl fmt::Display for PostgresOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Origin::Url(url) => url.fmt(f),
            Origin::Binaries(folder, _) => folder.display().fmt(f),
        }
    }
}
