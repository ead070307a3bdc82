use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;

use lockage_core::DatabaseUrl;
use lockage_testkit::{TestError, format_error_chain};

use super::{MariadbBinaries, MariadbServer, PostgresServer};

/// A PostgreSQL server for tests: at the URL of a superuser, or started from the newest binaries on this machine.
///
/// ```no_run
/// # #![allow(clippy::disallowed_methods)]
/// use lockage_test_matrix::engine::PostgresSource;
///
/// let url = std::env::var("LOCKAGE_TEST_POSTGRES_URL").ok();
/// let path = std::env::var("PATH").unwrap_or_default();
/// match PostgresSource::find(url, &path) {
///     Ok(source) => println!("{source}: {}", source.url().unwrap()),
///     Err(reason) => println!("skipped: {reason}"),
/// }
/// ```
pub type PostgresSource = ServerSource<PostgresServer>;

/// A MySQL or MariaDB server for tests: at a URL, or started from MariaDB's binaries. It works like [`PostgresSource`].
pub type MariadbSource = ServerSource<MariadbServer>;

/// The source of a test server: a URL, or binaries from which a server starts when it is first needed.
#[derive(Debug)]
pub struct ServerSource<S: ManagedServer>(Source<S>);

#[derive(Debug)]
enum Source<S: ManagedServer> {
    Url(DatabaseUrl),
    Binaries(S::Binaries, OnceLock<Result<S, String>>),
}

/// A server that tests start from binaries.
pub trait ManagedServer: fmt::Debug + Sized {
    /// The programs of the server.
    type Binaries: fmt::Debug;

    /// The reason to skip a test if the programs are missing, and how to provide a server.
    const MISSING: &'static str;

    /// Returns the programs in their usual folders or in `search_path`, which has the syntax of `PATH`.
    fn find_binaries(search_path: &str) -> Option<Self::Binaries>;

    /// Starts a server with default settings.
    ///
    /// # Errors
    /// Fails with the output of the server.
    fn start_default(binaries: &Self::Binaries) -> Result<Self, TestError>;

    /// Returns the location of the programs for a message.
    fn describe(binaries: &Self::Binaries) -> String;

    /// Returns the URL of a database that exists from the start, for a user with all privileges.
    fn admin_url(&self) -> String;
}

impl ManagedServer for PostgresServer {
    type Binaries = PathBuf;

    const MISSING: &'static str =
        "no PostgreSQL: set LOCKAGE_TEST_POSTGRES_URL, or install the server's package";

    fn find_binaries(search_path: &str) -> Option<PathBuf> {
        Self::find(search_path)
    }

    fn start_default(binaries: &PathBuf) -> Result<Self, TestError> {
        Self::start(binaries, &[])
    }

    fn describe(binaries: &PathBuf) -> String {
        binaries.display().to_string()
    }

    fn admin_url(&self) -> String {
        self.url("postgres")
    }
}

impl ManagedServer for MariadbServer {
    type Binaries = MariadbBinaries;

    const MISSING: &'static str = "no MariaDB: set LOCKAGE_TEST_MARIADB_URL or LOCKAGE_TEST_MYSQL_URL, or install the server's package";

    fn find_binaries(search_path: &str) -> Option<MariadbBinaries> {
        Self::find(search_path)
    }

    fn start_default(binaries: &MariadbBinaries) -> Result<Self, TestError> {
        Self::start(binaries, &[])
    }

    fn describe(binaries: &MariadbBinaries) -> String {
        binaries.to_string()
    }

    fn admin_url(&self) -> String {
        self.url("lockage")
    }
}

impl<S: ManagedServer> ServerSource<S> {
    /// Returns the source: `url` if it is set, otherwise the binaries in their usual folders or in `search_path`, which has the syntax of
    /// `PATH`. Starts no server. The user of the URL needs all privileges, because fixtures create and drop databases.
    ///
    /// # Errors
    /// Fails if neither exists or if the URL is invalid. The error is the reason for
    /// [`Fixture::unsupported`](lockage_testkit::Fixture::unsupported).
    pub fn find(url: Option<String>, search_path: &str) -> Result<Self, String> {
        if let Some(url) = url.filter(|url| !url.is_empty()) {
            let url = DatabaseUrl::parse(url).map_err(|error| format_error_chain(&error))?;
            return Ok(Self(Source::Url(url)));
        }
        match S::find_binaries(search_path) {
            Some(binaries) => Ok(Self(Source::Binaries(binaries, OnceLock::new()))),
            None => Err(S::MISSING.into()),
        }
    }

    /// Returns the URL. If the source is binaries, the first call starts the server and blocks for some seconds; concurrent calls wait for
    /// it. The server stops when this value is dropped.
    ///
    /// # Errors
    /// Fails with the output of the server. A failed start is not retried.
    pub fn url(&self) -> Result<String, TestError> {
        match &self.0 {
            Source::Url(url) => Ok(url.as_secret_str().to_owned()),
            Source::Binaries(binaries, server) => server
                .get_or_init(|| {
                    S::start_default(binaries).map_err(|error| format_error_chain(&*error))
                })
                .as_ref()
                .map(S::admin_url)
                .map_err(|error| error.clone().into()),
        }
    }
}

/// Writes the source without a password.
impl<S: ManagedServer> fmt::Display for ServerSource<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Url(url) => url.fmt(f),
            Source::Binaries(binaries, _) => f.write_str(&S::describe(binaries)),
        }
    }
}
