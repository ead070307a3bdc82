//! What a URL says.

use std::path::PathBuf;
use std::time::Duration;

use lockage_core::{ConnectOptions, DatabaseUrl, Error, ErrorKind, Result};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use crate::application;

/// A connection is given up when the other side has been silent for this long; as `crate::settings` has it for the server's end.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVE_RETRIES: u32 = 3;
const USER_TIMEOUT: Duration = Duration::from_secs(8);

/// Nobody waits longer for a connection, and a clock can tell it.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How the server is known to be the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Not encrypted.
    Disable,
    /// Encrypted where the server can.
    Prefer,
    /// Encrypted, by whatever certificate.
    Require,
    /// By a certificate that a known authority signed.
    VerifyCa,
    /// By such a certificate, made out to the host of the URL.
    VerifyFull,
}

/// The authorities that are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Roots {
    /// Those of the operating system.
    System,
    /// Those in a PEM file.
    File(PathBuf),
}

/// Where a database is, and how to get there.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) config: Config,
    pub(crate) trust: Trust,
    #[cfg_attr(
        not(any(feature = "tls", test)),
        expect(dead_code, reason = "nobody asks without TLS")
    )]
    pub(crate) roots: Roots,
    /// What the user calls the program.
    pub(crate) application: Option<String>,
    /// The role that the session takes.
    pub(crate) role: Option<String>,
    /// The URL without a password.
    pub(crate) shown: String,
    /// How long connecting may take, to each host.
    pub(crate) timeout: Duration,
}

impl Address {
    pub(crate) fn parse(options: &ConnectOptions) -> Result<Self> {
        let url = &options.url;
        let Parts {
            mut config,
            mut trust,
            roots,
            role,
        } = read(url)?;
        let application = config.get_application_name().map(str::to_owned);
        config.application_name(application::name(application.as_deref(), None));
        if config.get_hosts().is_empty() {
            let addresses = config.get_hostaddrs().to_vec();
            if addresses.is_empty() {
                config.host("localhost");
            }
            // The name that a certificate is held against.
            addresses.iter().for_each(|address| {
                config.host(address.to_string());
            });
        }
        #[cfg(unix)]
        if config
            .get_hosts()
            .iter()
            .all(|host| matches!(host, tokio_postgres::config::Host::Unix(_)))
        {
            // A server does not encrypt what never leaves the machine.
            trust = Trust::Disable;
        }
        let timeout = config
            .get_connect_timeout()
            .copied()
            .unwrap_or(options.connect_timeout);
        config.connect_timeout(timeout);
        config.ssl_mode(match trust {
            Trust::Disable => SslMode::Disable,
            Trust::Prefer => SslMode::Prefer,
            _ => SslMode::Require,
        });
        Ok(Self {
            config,
            trust,
            roots,
            application,
            role,
            shown: url.to_string(),
            timeout,
        })
    }

    /// How long connecting may take as a whole.
    pub(crate) fn patience(&self) -> Duration {
        let hosts = u32::try_from(self.config.get_hosts().len()).unwrap_or(1);
        self.timeout.saturating_mul(hosts.max(1)).min(LONGEST)
    }

    /// The database's name, where the URL has one.
    pub(crate) fn database(&self) -> Option<&str> {
        self.config.get_dbname()
    }

    /// The same server, another database.
    pub(crate) fn with_database(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.config.dbname(name);
        other
    }
}

/// What stands in the text.
struct Parts {
    config: Config,
    trust: Trust,
    roots: Roots,
    role: Option<String>,
}

/// Takes the parameters that tokio-postgres does not know out of the URL, and has it read the rest.
fn read(url: &DatabaseUrl) -> Result<Parts> {
    let wrong = |what: String| {
        Error::new(
            ErrorKind::InvalidConfig,
            format!("{what} in the database URL {url}"),
        )
        .with_hint("write it as postgres://user@host:5432/database?sslmode=verify-full")
    };
    let rest = url
        .expose_rest()
        .strip_prefix("//")
        .ok_or_else(|| wrong("no `//`".into()))?;
    let (user, place) = match rest.find(['@', '/']) {
        Some(at) if rest.as_bytes()[at] == b'@' => (&rest[..=at], &rest[at + 1..]),
        _ => ("", rest),
    };
    let (place, query) = place.split_once('?').unwrap_or((place, ""));
    // An `@` further on is no end of the user's name.
    let mut plain = format!("postgres://{user}{}?", place.replace('@', "%40"));
    let (mut trust, mut roots, mut role, mut idle, mut silence) = (None, None, None, true, true);
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let decode = |text| {
            percent_decode_str(text)
                .decode_utf8()
                .map_err(|_| wrong("text that is not UTF-8".into()))
        };
        let (key, value) = parameter
            .split_once('=')
            .ok_or_else(|| wrong("a parameter without a value".into()))?;
        let (key, value) = (decode(key)?, decode(value)?);
        let key = match &*key {
            "sslmode" => {
                trust = Some(
                    parse_trust(&value)
                        .ok_or_else(|| wrong(format!("the unknown sslmode `{value}`")))?,
                );
                continue;
            }
            "sslrootcert" if value == "system" => {
                roots = Some(Roots::System);
                continue;
            }
            "sslrootcert" => {
                roots = Some(Roots::File(PathBuf::from(&*value)));
                continue;
            }
            "role" => {
                role = Some(value.into_owned());
                continue;
            }
            // As libpq calls it.
            "keepalives_count" => "keepalives_retries",
            key => key,
        };
        idle &= !key.starts_with("keepalives");
        silence &= key != "tcp_user_timeout";
        let value = utf8_percent_encode(&value, NON_ALPHANUMERIC);
        plain.push_str(&format!("{key}={value}&"));
    }
    let mut config: Config = plain.parse().map_err(|error: tokio_postgres::Error| {
        // The source names the parameter and never a value.
        wrong(
            std::error::Error::source(&error)
                .unwrap_or(&error)
                .to_string(),
        )
    })?;
    if idle {
        config
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVE_RETRIES);
    }
    if silence {
        config.tcp_user_timeout(USER_TIMEOUT);
    }
    let trust = match (trust, &roots) {
        // As libpq does: who names authorities wants them asked.
        (None, Some(Roots::System)) => Trust::VerifyFull,
        (Some(Trust::Require), Some(Roots::File(_))) => Trust::VerifyCa,
        (
            Some(Trust::Disable | Trust::Prefer | Trust::Require | Trust::VerifyCa),
            Some(Roots::System),
        ) => {
            return Err(wrong(
                "sslrootcert=system, which needs sslmode=verify-full,".into(),
            ));
        }
        (trust, _) => trust.unwrap_or(Trust::Prefer),
    };
    Ok(Parts {
        config,
        trust,
        roots: roots.unwrap_or(Roots::System),
        role,
    })
}

fn parse_trust(word: &str) -> Option<Trust> {
    Some(match word {
        "disable" => Trust::Disable,
        "prefer" => Trust::Prefer,
        "require" => Trust::Require,
        "verify-ca" => Trust::VerifyCa,
        "verify-full" => Trust::VerifyFull,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::Host;

    use super::*;

    fn parse(url: &str) -> Result<Address> {
        Address::parse(&ConnectOptions::new(url).unwrap())
    }

    #[test]
    fn a_url_with_everything() {
        let address = parse(
            "postgresql://app:p%40ss@db:6432/shop?sslmode=verify-ca&sslrootcert=%2Fca.pem&application_name=shop&connect_timeout=3&role=the%20owner",
        )
        .unwrap();
        let config = &address.config;
        assert_eq!(config.get_hosts(), [Host::Tcp("db".into())]);
        assert_eq!(
            (config.get_user(), config.get_password()),
            (Some("app"), Some(&b"p@ss"[..]))
        );
        assert_eq!(
            (config.get_ports(), config.get_dbname()),
            (&[6432][..], Some("shop"))
        );
        assert_eq!(
            (address.trust, &address.roots),
            (Trust::VerifyCa, &Roots::File("/ca.pem".into()))
        );
        assert!(
            config
                .get_application_name()
                .unwrap()
                .starts_with("shop lockage@")
        );
        assert_eq!(address.patience(), Duration::from_secs(3));
        assert_eq!(
            address.shown,
            "postgresql://app@db:6432/shop?sslmode=verify-ca&sslrootcert=%2Fca.pem&application_name=shop&connect_timeout=3&role=the%20owner"
        );
        assert_eq!(address.role.as_deref(), Some("the owner"));
        assert_eq!(config.get_options(), None);
    }

    #[test]
    fn what_a_url_leaves_out() {
        let address = parse("postgres:///shop").unwrap();
        assert_eq!(address.config.get_hosts(), [Host::Tcp("localhost".into())]);
        assert_eq!(
            (address.trust, &address.roots),
            (Trust::Prefer, &Roots::System)
        );
        assert_eq!(address.patience(), Duration::from_secs(10));
        assert_eq!(address.config.get_keepalives_idle(), KEEPALIVE_IDLE);
        let long = parse("postgres:///shop?connect_timeout=9223372036854775807").unwrap();
        assert_eq!(long.patience(), LONGEST);
        let two = parse("postgres://a,b:1/shop?keepalives_idle=60&keepalives_count=2").unwrap();
        assert_eq!(two.patience(), Duration::from_secs(20));
        assert_eq!(two.config.get_keepalives_idle(), Duration::from_secs(60));
        assert_eq!(two.config.get_keepalives_retries(), Some(2));
        let numbers = parse("postgres:///shop?hostaddr=127.0.0.1").unwrap();
        assert_eq!(numbers.config.get_hosts(), [Host::Tcp("127.0.0.1".into())]);
        let socket = parse("postgres:///shop?host=/run/postgresql&sslmode=require").unwrap();
        assert_eq!(
            socket.config.get_hosts(),
            [Host::Unix("/run/postgresql".into())]
        );
        assert_eq!(socket.trust, Trust::Disable);
    }

    #[test]
    fn an_at_sign_behind_the_host_belongs_to_what_it_stands_in() {
        let address = parse("postgres://db/shop@home?user=a@b&password=c@d").unwrap();
        assert_eq!(address.config.get_hosts(), [Host::Tcp("db".into())]);
        assert_eq!(
            (address.config.get_user(), address.config.get_dbname()),
            (Some("a@b"), Some("shop@home"))
        );
        assert_eq!(address.config.get_password(), Some(&b"c@d"[..]));
        let odd = parse("postgres://app:hun?ter2@db/shop").unwrap();
        assert_eq!(odd.config.get_password(), Some(&b"hun?ter2"[..]));
    }

    #[test]
    fn who_names_authorities_wants_them_asked() {
        let trust = |url| parse(url).map(|address| address.trust);
        assert_eq!(
            trust("postgres://db?sslmode=require").unwrap(),
            Trust::Require
        );
        assert_eq!(
            trust("postgres://db?sslmode=require&sslrootcert=ca.pem").unwrap(),
            Trust::VerifyCa
        );
        assert_eq!(
            trust("postgres://db?sslrootcert=system").unwrap(),
            Trust::VerifyFull
        );
        assert!(trust("postgres://db?sslmode=require&sslrootcert=system").is_err());
    }

    #[test]
    fn wrong_urls_say_what_is_wrong_and_show_no_password() {
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
