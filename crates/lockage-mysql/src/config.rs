//! The connection settings in a database URL.

use lockage_core::{DatabaseUrl, Error, ErrorKind, Result, UrlParts, UrlSyntax};
use percent_encoding::percent_decode_str;

/// The port of a URL without one.
const DEFAULT_PORT: u16 = 3306;

/// How the connection is encrypted, and how the server's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SslMode {
    /// The connection is not encrypted.
    Disabled,
    /// The connection is encrypted if the server supports it. The certificate is not checked.
    Preferred,
    /// The connection is encrypted. The certificate is not checked.
    Required,
    /// The certificate must be signed by a known authority.
    VerifyCa,
    /// The certificate must be signed by a known authority and issued for the host in the URL.
    VerifyIdentity,
}

impl SslMode {
    fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().replace('_', "-").as_str() {
            "disabled" | "disable" => Self::Disabled,
            "preferred" | "prefer" => Self::Preferred,
            "required" | "require" => Self::Required,
            "verify-ca" => Self::VerifyCa,
            "verify-identity" | "verify-full" => Self::VerifyIdentity,
            _ => return None,
        })
    }
}

/// The address of a database, and how to log in to it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ConnectConfig {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) socket: Option<String>,
    pub(crate) user: String,
    pub(crate) password: Option<String>,
    pub(crate) database: String,
    pub(crate) ssl_mode: SslMode,
    pub(crate) ca: Option<String>,
    pub(crate) certificate: Option<String>,
    pub(crate) key: Option<String>,
}

/// A problem in a URL: the message without the URL, and a hint if the general one does not help.
struct Invalid {
    problem: String,
    hint: Option<&'static str>,
}

impl Invalid {
    fn new(problem: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            hint: None,
        }
    }
}

impl ConnectConfig {
    /// Parses a URL.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`]. The message does not contain the password.
    pub(crate) fn parse(url: &DatabaseUrl) -> Result<Self> {
        Self::parse_rest(url.secret_after_scheme()).map_err(|invalid| {
            Error::new(
                ErrorKind::InvalidConfig,
                format!("{} in the database URL {url}", invalid.problem),
            )
            .with_hint(
                invalid
                    .hint
                    .unwrap_or("write mysql://user@host:3306/database?ssl-mode=preferred"),
            )
        })
    }

    /// Parses the part of a URL after the scheme and its colon.
    fn parse_rest(rest: &str) -> Result<Self, Invalid> {
        let rest = rest
            .strip_prefix("//")
            .ok_or_else(|| Invalid::new("no `//`"))?;
        let UrlParts {
            user_info,
            location,
            query,
            ..
        } = UrlParts::split(rest, UrlSyntax::LastAt);
        let (user_info, query) = (user_info.unwrap_or_default(), query.unwrap_or_default());
        let (user, password) = match user_info.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (user_info, None),
        };
        let (authority, database) = location.split_once('/').unwrap_or((location, ""));
        let (host, port) = split_port(authority)?;
        let mut config = Self {
            host: decode(if host.is_empty() { "localhost" } else { host }, "host")?,
            port,
            socket: None,
            user: decode(user, "user")?,
            password: password
                .map(|password| decode(password, "password"))
                .transpose()?,
            database: decode(database, "database")?,
            ssl_mode: SslMode::Preferred,
            ca: None,
            certificate: None,
            key: None,
        };
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            config.set_parameter(name, decode(value, "parameter")?)?;
        }
        if config.database.is_empty() {
            return Err(Invalid::new("no database"));
        }
        if config.certificate.is_some() != config.key.is_some() {
            return Err(Invalid::new("only one of ssl-cert and ssl-key"));
        }
        Ok(config)
    }

    fn set_parameter(&mut self, name: &str, value: String) -> Result<(), Invalid> {
        match name {
            "ssl-mode" | "sslmode" | "ssl_mode" => {
                self.ssl_mode = SslMode::parse(&value).ok_or_else(|| Invalid {
                    problem: format!("invalid ssl-mode `{value}`"),
                    hint: Some("write disabled, preferred, required, verify-ca or verify-identity"),
                })?;
            }
            "ssl-ca" | "sslrootcert" => self.ca = Some(value),
            "ssl-cert" | "sslcert" => self.certificate = Some(value),
            "ssl-key" | "sslkey" => self.key = Some(value),
            "socket" => self.socket = Some(value),
            "user" => self.user = value,
            "password" => self.password = Some(value),
            _ => {
                return Err(Invalid {
                    problem: format!("unknown parameter `{name}`"),
                    hint: Some(
                        "use one of ssl-mode, ssl-ca, ssl-cert, ssl-key, socket, user and password",
                    ),
                });
            }
        }
        Ok(())
    }
}

/// Decodes percent-encoded text. `part` names the part of the URL in the error.
fn decode(text: &str, part: &str) -> Result<String, Invalid> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(String::from)
        .map_err(|_| Invalid::new(format!("a {part} that is not UTF-8")))
}

fn split_port(authority: &str) -> Result<(&str, u16), Invalid> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, suffix) = rest
                .split_once(']')
                .ok_or_else(|| Invalid::new("an IPv6 address without `]`"))?;
            (host, suffix.strip_prefix(':'))
        }
        None => match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    match port {
        None => Ok((host, DEFAULT_PORT)),
        Some(port) => port
            .parse()
            .map(|port| (host, port))
            // The text could be a password: `mysql://user:password` without a host.
            .map_err(|_| Invalid::new("an invalid port")),
    }
}

/// Omits the password.
impl std::fmt::Debug for ConnectConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectConfig")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("ssl_mode", &self.ssl_mode)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<ConnectConfig> {
        ConnectConfig::parse(&DatabaseUrl::parse(url).unwrap())
    }

    #[test]
    fn url_is_parsed_into_its_parts() {
        let config = parse("mysql://app:p%40ss%2Fword@db:3307/my%20shop").unwrap();
        assert_eq!((config.host.as_str(), config.port), ("db", 3307));
        assert_eq!(config.user, "app");
        assert_eq!(config.password.as_deref(), Some("p@ss/word"));
        assert_eq!(config.database, "my shop");
        assert_eq!(config.ssl_mode, SslMode::Preferred);
        let config =
            parse("mariadb://[::1]/shop?ssl-mode=VERIFY_IDENTITY&ssl-ca=/etc/ca.pem").unwrap();
        assert_eq!((config.host.as_str(), config.port), ("::1", 3306));
        assert_eq!((config.user.as_str(), config.password), ("", None));
        assert_eq!(config.ssl_mode, SslMode::VerifyIdentity);
        assert_eq!(config.ca.as_deref(), Some("/etc/ca.pem"));
        let config = parse("mysql://root@/shop?socket=/run/mysqld/mysqld.sock").unwrap();
        assert_eq!(config.socket.as_deref(), Some("/run/mysqld/mysqld.sock"));
        assert_eq!(config.host, "localhost");
    }

    #[test]
    fn password_may_contain_url_delimiters() {
        let config = parse("mysql://app:a@b/c?d#e@db/shop?ssl-mode=disabled").unwrap();
        assert_eq!(config.password.as_deref(), Some("a@b/c?d#e"));
        assert_eq!(
            (config.host.as_str(), config.database.as_str()),
            ("db", "shop")
        );
        assert_eq!(config.ssl_mode, SslMode::Disabled);
    }

    #[test]
    fn invalid_url_error_omits_password() {
        for (url, part) in [
            ("mysql:shop", "no `//`"),
            ("mysql://app:hunter2@db", "no database"),
            ("mysql://app:hunter2@db:x/shop", "an invalid port"),
            (
                "mysql://app:hunter2@db/shop?sslmod=x",
                "unknown parameter `sslmod`",
            ),
            (
                "mysql://app:hunter2@db/shop?ssl-mode=x",
                "invalid ssl-mode `x`",
            ),
            (
                "mysql://app:hunter2@[::1/shop",
                "an IPv6 address without `]`",
            ),
            ("mysql://app:hunter2@db/shop?ssl-key=k", "only one of"),
        ] {
            let error = parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(error.message().contains(part), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
