//! Connection settings: the database URL and its parameters.

use std::path::PathBuf;
use std::time::Duration;

use lockage_core::{ConnectOptions, DatabaseUrl, Error, ErrorKind, Result, UrlSyntax};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode as DriverSslMode;

use crate::application_name;

/// The client considers the connection lost after this silence. `crate::session_settings` has the same values for the server.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVE_RETRIES: u32 = 3;
const USER_TIMEOUT: Duration = Duration::from_secs(8);

/// The maximum connect timeout, which can still be added to the current time.
const MAX_CONNECT_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Whether the connection is encrypted, and how the server's certificate is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SslMode {
    /// Not encrypted.
    Disable,
    /// Encrypted if the server supports it.
    Prefer,
    /// Encrypted, with any certificate.
    Require,
    /// Encrypted, with a certificate of a trusted authority.
    VerifyCa,
    /// Encrypted, with a certificate of a trusted authority for the host of the URL.
    VerifyFull,
}

impl SslMode {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "disable" => Self::Disable,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => return None,
        })
    }
}

/// The trusted certificate authorities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RootCertificates {
    /// Those of the operating system.
    System,
    /// Those in a PEM file.
    File(PathBuf),
}

/// The settings of a connection.
#[derive(Debug, Clone)]
pub(crate) struct ConnectConfig {
    pub(crate) driver: Config,
    pub(crate) ssl_mode: SslMode,
    #[cfg_attr(
        not(any(feature = "tls", test)),
        expect(dead_code, reason = "only TLS reads it")
    )]
    pub(crate) roots: RootCertificates,
    /// The `application_name` of the URL.
    pub(crate) application: Option<String>,
    /// The role that the session uses.
    pub(crate) role: Option<String>,
    /// The URL without its password.
    pub(crate) display_url: String,
    /// The connect timeout for each host.
    pub(crate) host_timeout: Duration,
}

impl ConnectConfig {
    pub(crate) fn parse(options: &ConnectOptions) -> Result<Self> {
        let url = &options.url;
        let UrlParts {
            config: mut driver,
            mut ssl_mode,
            roots,
            role,
        } = UrlParts::parse(url)?;
        let application = driver.get_application_name().map(str::to_owned);
        driver.application_name(application_name::format(application.as_deref(), None));
        if driver.get_hosts().is_empty() {
            let addresses = driver.get_hostaddrs().to_vec();
            if addresses.is_empty() {
                driver.host("localhost");
            }
            // The name that the certificate must match.
            addresses.iter().for_each(|address| {
                driver.host(address.to_string());
            });
        }
        #[cfg(unix)]
        if driver
            .get_hosts()
            .iter()
            .all(|host| matches!(host, tokio_postgres::config::Host::Unix(_)))
        {
            // The server does not encrypt Unix sockets.
            ssl_mode = SslMode::Disable;
        }
        let host_timeout = driver
            .get_connect_timeout()
            .copied()
            .unwrap_or(options.connect_timeout);
        driver.connect_timeout(host_timeout);
        driver.ssl_mode(match ssl_mode {
            SslMode::Disable => DriverSslMode::Disable,
            SslMode::Prefer => DriverSslMode::Prefer,
            _ => DriverSslMode::Require,
        });
        Ok(Self {
            driver,
            ssl_mode,
            roots,
            application,
            role,
            display_url: url.to_string(),
            host_timeout,
        })
    }

    /// Returns the maximum duration of connecting, over all hosts.
    pub(crate) fn connect_timeout(&self) -> Duration {
        let hosts = u32::try_from(self.driver.get_hosts().len()).unwrap_or(1);
        self.host_timeout
            .saturating_mul(hosts.max(1))
            .min(MAX_CONNECT_TIMEOUT)
    }

    /// Returns the name of the database, if the URL has one.
    pub(crate) fn database(&self) -> Option<&str> {
        self.driver.get_dbname()
    }

    /// Returns the settings for another database of the same server.
    pub(crate) fn with_database(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.driver.dbname(name);
        other
    }
}

/// The parameters of a URL, for the hint at an unknown one.
const PARAMETERS: &str = "sslmode, sslrootcert, role, application_name, options, connect_timeout, tcp_user_timeout, \
    keepalives, keepalives_idle, keepalives_interval, keepalives_count, target_session_attrs, channel_binding, \
    load_balance_hosts, host, hostaddr, port, user, password and dbname";

/// The contents of a URL.
struct UrlParts {
    config: Config,
    ssl_mode: SslMode,
    roots: RootCertificates,
    role: Option<String>,
}

impl UrlParts {
    fn parse(url: &DatabaseUrl) -> Result<Self> {
        let rest = url
            .secret_after_scheme()
            .strip_prefix("//")
            .ok_or_else(|| invalid_url(url, "no `//`"))?;
        let parts = lockage_core::UrlParts::split(rest, UrlSyntax::FirstAt);
        if parts.is_ambiguous() {
            return Err(
                invalid_url(url, "an `@` that could belong to a password").with_hint(
                    "write an `@` in a password or a name as %40, or set LOCKAGE_PASSWORD",
                ),
            );
        }
        let target = parts.location;
        let user = parts
            .user_info
            .map_or_else(String::new, |user| format!("{user}@"));
        let parameters = Parameters::parse(url, parts.query.unwrap_or_default())?;
        // A later `@` belongs to the name of the database: the driver must not take it for the end of the user.
        let driver_url = format!(
            "postgres://{user}{}?{}",
            target.replace('@', "%40"),
            parameters.driver_query
        );
        let mut config: Config = driver_url.parse().map_err(|error: tokio_postgres::Error| {
            // The source contains the name of the parameter, never a value.
            let source = std::error::Error::source(&error).unwrap_or(&error);
            let problem = source.to_string();
            let error = invalid_url(url, &problem);
            match problem.contains("unknown option") {
                true => error.with_hint(format!("use one of {PARAMETERS}")),
                false => error,
            }
        })?;
        if !parameters.sets_keepalives {
            config
                .keepalives_idle(KEEPALIVE_IDLE)
                .keepalives_interval(KEEPALIVE_INTERVAL)
                .keepalives_retries(KEEPALIVE_RETRIES);
        }
        if !parameters.sets_user_timeout {
            config.tcp_user_timeout(USER_TIMEOUT);
        }
        Ok(Self {
            config,
            ssl_mode: parameters.ssl_mode(url)?,
            roots: parameters.roots.unwrap_or(RootCertificates::System),
            role: parameters.role,
        })
    }
}

/// The parameters of a URL.
#[derive(Default)]
struct Parameters {
    ssl_mode: Option<SslMode>,
    roots: Option<RootCertificates>,
    role: Option<String>,
    /// The parameters that the driver reads, encoded.
    driver_query: String,
    sets_keepalives: bool,
    sets_user_timeout: bool,
}

impl Parameters {
    fn parse(url: &DatabaseUrl, query: &str) -> Result<Self> {
        let decode = |text| {
            percent_decode_str(text)
                .decode_utf8()
                .map_err(|_| invalid_url(url, "text that is not UTF-8"))
        };
        let mut parameters = Self::default();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (key, value) = parameter
                .split_once('=')
                .ok_or_else(|| invalid_url(url, "a parameter without a value"))?;
            let (key, value) = (decode(key)?, decode(value)?);
            match &*key {
                "sslmode" => {
                    let mode = SslMode::parse(&value).ok_or_else(|| {
                        invalid_url(url, &format!("the unknown sslmode `{value}`"))
                    })?;
                    parameters.ssl_mode = Some(mode);
                }
                "sslrootcert" if value == "system" => {
                    parameters.roots = Some(RootCertificates::System);
                }
                "sslrootcert" => {
                    parameters.roots = Some(RootCertificates::File(PathBuf::from(&*value)));
                }
                "role" => parameters.role = Some(value.into_owned()),
                // The name in libpq.
                "keepalives_count" => parameters.push_for_driver("keepalives_retries", &value),
                key => parameters.push_for_driver(key, &value),
            }
        }
        Ok(parameters)
    }

    fn push_for_driver(&mut self, key: &str, value: &str) {
        self.sets_keepalives |= key.starts_with("keepalives");
        self.sets_user_timeout |= key == "tcp_user_timeout";
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        self.driver_query.push_str(&format!("{key}={value}&"));
    }

    /// Returns the TLS mode. As in libpq, `sslrootcert` makes it stricter.
    fn ssl_mode(&self, url: &DatabaseUrl) -> Result<SslMode> {
        match (self.ssl_mode, &self.roots) {
            (None, Some(RootCertificates::System)) => Ok(SslMode::VerifyFull),
            (Some(SslMode::Require), Some(RootCertificates::File(_))) => Ok(SslMode::VerifyCa),
            (
                Some(SslMode::Disable | SslMode::Prefer | SslMode::Require | SslMode::VerifyCa),
                Some(RootCertificates::System),
            ) => Err(invalid_url(
                url,
                "sslrootcert=system without sslmode=verify-full",
            )),
            (mode, _) => Ok(mode.unwrap_or(SslMode::Prefer)),
        }
    }
}

fn invalid_url(url: &DatabaseUrl, problem: &str) -> Error {
    Error::new(
        ErrorKind::InvalidConfig,
        format!("{problem} in the database URL {url}"),
    )
    .with_hint("write it as postgres://user@host:5432/database?sslmode=verify-full")
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::Host;

    use super::*;

    fn parse(url: &str) -> Result<ConnectConfig> {
        ConnectConfig::parse(&ConnectOptions::new(url).unwrap())
    }

    #[test]
    fn all_url_parts_are_read() {
        let config = parse(
            "postgresql://app:p%40ss@db:6432/shop?sslmode=verify-ca&sslrootcert=%2Fca.pem&application_name=shop&connect_timeout=3&role=the%20owner",
        )
        .unwrap();
        let driver = &config.driver;
        assert_eq!(driver.get_hosts(), [Host::Tcp("db".into())]);
        assert_eq!(
            (driver.get_user(), driver.get_password()),
            (Some("app"), Some(&b"p@ss"[..]))
        );
        assert_eq!(
            (driver.get_ports(), driver.get_dbname()),
            (&[6432][..], Some("shop"))
        );
        assert_eq!(
            (config.ssl_mode, &config.roots),
            (SslMode::VerifyCa, &RootCertificates::File("/ca.pem".into()))
        );
        assert!(
            driver
                .get_application_name()
                .unwrap()
                .starts_with("shop lockage@")
        );
        assert_eq!(config.connect_timeout(), Duration::from_secs(3));
        assert_eq!(
            config.display_url,
            "postgresql://app@db:6432/shop?sslmode=verify-ca&sslrootcert=%2Fca.pem&application_name=shop&connect_timeout=3&role=the%20owner"
        );
        assert_eq!(config.role.as_deref(), Some("the owner"));
        assert_eq!(driver.get_options(), None);
    }

    #[test]
    fn missing_url_parts_have_defaults() {
        let config = parse("postgres:///shop").unwrap();
        assert_eq!(config.driver.get_hosts(), [Host::Tcp("localhost".into())]);
        assert_eq!(
            (config.ssl_mode, &config.roots),
            (SslMode::Prefer, &RootCertificates::System)
        );
        assert_eq!(config.connect_timeout(), Duration::from_secs(10));
        assert_eq!(config.driver.get_keepalives_idle(), KEEPALIVE_IDLE);
        let long = parse("postgres:///shop?connect_timeout=9223372036854775807").unwrap();
        assert_eq!(long.connect_timeout(), MAX_CONNECT_TIMEOUT);
        let two = parse("postgres://a,b:1/shop?keepalives_idle=60&keepalives_count=2").unwrap();
        assert_eq!(two.connect_timeout(), Duration::from_secs(20));
        assert_eq!(two.driver.get_keepalives_idle(), Duration::from_secs(60));
        assert_eq!(two.driver.get_keepalives_retries(), Some(2));
        let numeric = parse("postgres:///shop?hostaddr=127.0.0.1").unwrap();
        assert_eq!(numeric.driver.get_hosts(), [Host::Tcp("127.0.0.1".into())]);
        let socket = parse("postgres:///shop?host=/run/postgresql&sslmode=require").unwrap();
        assert_eq!(
            socket.driver.get_hosts(),
            [Host::Unix("/run/postgresql".into())]
        );
        assert_eq!(socket.ssl_mode, SslMode::Disable);
    }

    #[test]
    fn at_sign_after_the_host_is_part_of_its_value() {
        let config = parse("postgres://db/shop@work?user=a@b&password=c@d").unwrap();
        assert_eq!(config.driver.get_hosts(), [Host::Tcp("db".into())]);
        assert_eq!(
            (config.driver.get_user(), config.driver.get_dbname()),
            (Some("a@b"), Some("shop@work"))
        );
        assert_eq!(config.driver.get_password(), Some(&b"c@d"[..]));
        let odd = parse("postgres://app:hun?ter2@db/shop").unwrap();
        assert_eq!(odd.driver.get_password(), Some(&b"hun?ter2"[..]));
    }

    #[test]
    fn ssl_root_certificates_raise_the_ssl_mode() {
        let ssl_mode = |url| parse(url).map(|config| config.ssl_mode);
        assert_eq!(
            ssl_mode("postgres://db?sslmode=require").unwrap(),
            SslMode::Require
        );
        assert_eq!(
            ssl_mode("postgres://db?sslmode=require&sslrootcert=ca.pem").unwrap(),
            SslMode::VerifyCa
        );
        assert_eq!(
            ssl_mode("postgres://db?sslrootcert=system").unwrap(),
            SslMode::VerifyFull
        );
        assert!(ssl_mode("postgres://db?sslmode=require&sslrootcert=system").is_err());
    }

    #[test]
    fn invalid_url_is_reported_without_its_password() {
        for (url, part) in [
            ("postgres:shop", "no `//`"),
            ("postgres://app:hunter2@db:x/shop", "port"),
            (
                "postgres://app:hunter2@db/shop?sslmode=allow",
                "sslmode `allow`",
            ),
            ("postgres://app:hunter2@db/shop?colour=red", "colour"),
            (
                "postgres://app:hunter2@db/shop?connect_timeout",
                "without a value",
            ),
        ] {
            let error = parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(error.message().contains(part), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
