use std::fmt;
use std::sync::OnceLock;

use lockage_core::DatabaseUrl;

use super::{MariadbBinaries, MariadbServer};
use crate::Failure;

/// MySQL or MariaDB for tests: at a URL, or from MariaDB's binaries, of which a server is started when it is first needed.
///
/// ```no_run
/// # #![allow(clippy::disallowed_methods)]
/// use lockage_testkit::engine::MariadbOrigin;
///
/// let url = std::env::var("LOCKAGE_TEST_MARIADB_URL").ok();
/// let path = std::env::var("PATH").unwrap_or_default();
/// match MariadbOrigin::find(url, &path) {
///     Ok(origin) => println!("{origin}: {}", origin.url().unwrap()),
///     Err(reason) => println!("left out: {reason}"),
/// }
/// ```
#[derive(Debug)]
pub struct MariadbOrigin(Origin);

#[derive(Debug)]
enum Origin {
    Url(DatabaseUrl),
    Binaries(MariadbBinaries, OnceLock<Result<MariadbServer, String>>),
}

impl MariadbOrigin {
    /// Takes the URL if there is one, else the binaries that are installed or stand in `search_path`, as `PATH` writes it. Starts nothing. The
    /// URL is that of a user who may do everything, since fixtures make and drop databases.
    ///
    /// # Errors
    /// The reason, for [`Fixture::lacks`](crate::Fixture::lacks), when there is neither, or when the URL is none.
    pub fn find(url: Option<String>, search_path: &str) -> Result<Self, String> {
        if let Some(url) = url.filter(|url| !url.is_empty()) {
            let url = DatabaseUrl::parse(url).map_err(|error| crate::told(&error))?;
            return Ok(Self(Origin::Url(url)));
        }
        match MariadbServer::find(search_path) {
            Some(binaries) => Ok(Self(Origin::Binaries(binaries, OnceLock::new()))),
            None => Err(
                "no MariaDB: set LOCKAGE_TEST_MARIADB_URL or LOCKAGE_TEST_MYSQL_URL, or install the server's package"
                    .into(),
            ),
        }
    }

    /// The URL. Where there are only binaries, the first call starts the server, and blocks for some seconds, as each call beside it does. The
    /// server is stopped when this value is dropped.
    ///
    /// # Errors
    /// As [`MariadbServer::start`]; a start that failed is not tried again.
    pub fn url(&self) -> Result<String, Failure> {
        match &self.0 {
            Origin::Url(url) => Ok(url.expose().to_owned()),
            Origin::Binaries(binaries, server) => server
                .get_or_init(|| {
                    MariadbServer::start(binaries, &[]).map_err(|failure| crate::told(&*failure))
                })
                .as_ref()
                .map(|server| server.url("lockage"))
                .map_err(|failure| failure.clone().into()),
        }
    }
}

/// Where it comes from, without a password.
impl fmt::Display for MariadbOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Origin::Url(url) => url.fmt(f),
            Origin::Binaries(binaries, _) => binaries.fmt(f),
        }
    }
}
