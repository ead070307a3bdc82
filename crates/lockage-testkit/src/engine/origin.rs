use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;

use lockage_core::DatabaseUrl;

use super::{MariadbBinaries, MariadbServer, PostgresServer};
use crate::Failure;

/// PostgreSQL for tests: at a URL, that of a superuser, or from binaries, the newest that are there.
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
pub type PostgresOrigin = Origin<PostgresServer>;

/// MySQL or MariaDB for tests: at a URL, or from MariaDB's binaries; otherwise as [`PostgresOrigin`].
pub type MariadbOrigin = Origin<MariadbServer>;

/// An engine for tests: at a URL, or from binaries, of which a server is started when it is first needed.
#[derive(Debug)]
pub struct Origin<S: OwnServer>(Source<S>);

#[derive(Debug)]
enum Source<S: OwnServer> {
    Url(DatabaseUrl),
    Binaries(S::Binaries, OnceLock<Result<S, String>>),
}

/// A server that tests start for themselves.
pub trait OwnServer: fmt::Debug + Sized {
    /// The programs that it is started from.
    type Binaries: fmt::Debug;

    /// How to come by them, or by a URL.
    const MISSING: &'static str;

    /// The programs that are installed or stand in `search_path`, as `PATH` writes it.
    fn look_for(search_path: &str) -> Option<Self::Binaries>;

    /// Starts one.
    ///
    /// # Errors
    /// What the server said.
    fn start_from(binaries: &Self::Binaries) -> Result<Self, Failure>;

    /// Where they stand, for a message.
    fn place(binaries: &Self::Binaries) -> String;

    /// The URL of a database that it has from the start, for a user who may do everything.
    fn first_url(&self) -> String;
}

impl OwnServer for PostgresServer {
    type Binaries = PathBuf;

    const MISSING: &'static str =
        "no PostgreSQL: set LOCKAGE_TEST_POSTGRES_URL, or install the server's package";

    fn look_for(search_path: &str) -> Option<PathBuf> {
        Self::find(search_path)
    }

    fn start_from(binaries: &PathBuf) -> Result<Self, Failure> {
        Self::start(binaries, &[])
    }

    fn place(binaries: &PathBuf) -> String {
        binaries.display().to_string()
    }

    fn first_url(&self) -> String {
        self.url("postgres")
    }
}

impl OwnServer for MariadbServer {
    type Binaries = MariadbBinaries;

    const MISSING: &'static str = "no MariaDB: set LOCKAGE_TEST_MARIADB_URL or LOCKAGE_TEST_MYSQL_URL, or install the server's package";

    fn look_for(search_path: &str) -> Option<MariadbBinaries> {
        Self::find(search_path)
    }

    fn start_from(binaries: &MariadbBinaries) -> Result<Self, Failure> {
        Self::start(binaries, &[])
    }

    fn place(binaries: &MariadbBinaries) -> String {
        binaries.to_string()
    }

    fn first_url(&self) -> String {
        self.url("lockage")
    }
}

impl<S: OwnServer> Origin<S> {
    /// Takes the URL if there is one, else the binaries that are installed or stand in `search_path`, as `PATH` writes it. Starts nothing.
    /// The URL is that of a user who may do everything, since fixtures make and drop databases.
    ///
    /// # Errors
    /// The reason, for [`Fixture::lacks`](crate::Fixture::lacks), when there is neither, or when the URL is none.
    pub fn find(url: Option<String>, search_path: &str) -> Result<Self, String> {
        if let Some(url) = url.filter(|url| !url.is_empty()) {
            let url = DatabaseUrl::parse(url).map_err(|error| crate::told(&error))?;
            return Ok(Self(Source::Url(url)));
        }
        match S::look_for(search_path) {
            Some(binaries) => Ok(Self(Source::Binaries(binaries, OnceLock::new()))),
            None => Err(S::MISSING.into()),
        }
    }

    /// The URL. Where there are only binaries, the first call starts the server, and blocks for some seconds, as each call beside it does. The
    /// server is stopped when this value is dropped.
    ///
    /// # Errors
    /// What the server said; a start that failed is not tried again.
    pub fn url(&self) -> Result<String, Failure> {
        match &self.0 {
            Source::Url(url) => Ok(url.expose().to_owned()),
            Source::Binaries(binaries, server) => server
                .get_or_init(|| S::start_from(binaries).map_err(|failure| crate::told(&*failure)))
                .as_ref()
                .map(S::first_url)
                .map_err(|failure| failure.clone().into()),
        }
    }
}

/// Where it comes from, without a password.
impl<S: OwnServer> fmt::Display for Origin<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Url(url) => url.fmt(f),
            Source::Binaries(binaries, _) => f.write_str(&S::place(binaries)),
        }
    }
}
