//! What a URL says.

use lockage_core::{DatabaseUrl, Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;

/// The port of a URL that names none.
const PORT: u16 = 3306;

/// How a connection is encrypted, and how the server is known to be the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Not encrypted.
    Disabled,
    /// Encrypted where the server can, whatever its certificate.
    Preferred,
    /// Encrypted, whatever the certificate.
    Required,
    /// By a certificate that a known authority signed.
    VerifyCa,
    /// By such a certificate, made out to the host of the URL.
    VerifyIdentity,
}

/// Where a database is, and how to get there.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) socket: Option<String>,
    pub(crate) user: String,
    pub(crate) password: Option<String>,
    pub(crate) database: String,
    pub(crate) trust: Trust,
    pub(crate) ca: Option<String>,
    pub(crate) certificate: Option<String>,
    pub(crate) key: Option<String>,
}

impl Address {
    pub(crate) fn parse(url: &DatabaseUrl) -> Result<Self> {
        let wrong = |what: String| {
            Error::new(
                ErrorKind::InvalidConfig,
                format!("{what} in the database URL {url}"),
            )
            .with_hint("write mysql://user@host:3306/database?ssl-mode=preferred")
        };
        let rest = url.expose_rest();
        let rest = rest
            .strip_prefix("//")
            .ok_or_else(|| wrong("no `//`".into()))?;
        // A password may hold any character, written as it is: the last `@` before the parameters ends it.
        let (place, query) = match rest.rfind('@') {
            Some(at) => match rest[at..].find('?') {
                Some(mark) => (&rest[..at + mark], &rest[at + mark + 1..]),
                None => (rest, ""),
            },
            None => rest.split_once('?').unwrap_or((rest, "")),
        };
        let (user_info, place) = place.rsplit_once('@').unwrap_or(("", place));
        let (user, password) = match user_info.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (user_info, None),
        };
        let (authority, database) = place.split_once('/').unwrap_or((place, ""));
        let (host, port) = split_port(authority).map_err(&wrong)?;
        let text = |text: &str, what: &str| {
            let text = percent_decode_str(text).decode_utf8();
            text.map(String::from)
                .map_err(|_| wrong(format!("a {what} that is not UTF-8")))
        };
        let mut address = Self {
            host: text(if host.is_empty() { "localhost" } else { host }, "host")?,
            port,
            socket: None,
            user: text(user, "user")?,
            password: password
                .map(|password| text(password, "password"))
                .transpose()?,
            database: text(database, "database")?,
            trust: Trust::Preferred,
            ca: None,
            certificate: None,
            key: None,
        };
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = text(value, "parameter")?;
            match name {
                "ssl-mode" | "sslmode" | "ssl_mode" => {
                    address.trust = trust(&value).ok_or_else(|| {
                        wrong(format!("`{value}` is no ssl-mode")).with_hint(
                            "write disabled, preferred, required, verify-ca or verify-identity",
                        )
                    })?;
                }
                "ssl-ca" | "sslrootcert" => address.ca = Some(value),
                "ssl-cert" | "sslcert" => address.certificate = Some(value),
                "ssl-key" | "sslkey" => address.key = Some(value),
                "socket" => address.socket = Some(value),
                "user" => address.user = value,
                "password" => address.password = Some(value),
                _ => return Err(wrong(format!("unknown parameter `{name}`"))),
            }
        }
        if address.database.is_empty() {
            return Err(wrong("no database".into()));
        }
        if address.certificate.is_some() != address.key.is_some() {
            return Err(wrong("only one of ssl-cert and ssl-key".into()));
        }
        Ok(address)
    }
}

fn split_port(authority: &str) -> std::result::Result<(&str, u16), String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']').ok_or("an IPv6 address without `]`")?;
            (host, behind.strip_prefix(':'))
        }
        None => match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    match port {
        None => Ok((host, PORT)),
        Some(port) => port
            .parse()
            .map(|port| (host, port))
            .map_err(|_| format!("`{port}` is no port")),
    }
}

fn trust(word: &str) -> Option<Trust> {
    Some(match word.to_ascii_lowercase().replace('_', "-").as_str() {
        "disabled" | "disable" => Trust::Disabled,
        "preferred" | "prefer" => Trust::Preferred,
        "required" | "require" => Trust::Required,
        "verify-ca" => Trust::VerifyCa,
        "verify-identity" | "verify-full" => Trust::VerifyIdentity,
        _ => return None,
    })
}

/// Without the password.
impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Address")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("trust", &self.trust)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Address> {
        Address::parse(&DatabaseUrl::parse(url).unwrap())
    }

    #[test]
    fn the_parts_of_a_url() {
        let address = parse("mysql://app:p%40ss%2Fword@db:3307/my%20shop").unwrap();
        assert_eq!((address.host.as_str(), address.port), ("db", 3307));
        assert_eq!(address.user, "app");
        assert_eq!(address.password.as_deref(), Some("p@ss/word"));
        assert_eq!(address.database, "my shop");
        assert_eq!(address.trust, Trust::Preferred);
        let address =
            parse("mariadb://[::1]/shop?ssl-mode=VERIFY_IDENTITY&ssl-ca=/etc/ca.pem").unwrap();
        assert_eq!((address.host.as_str(), address.port), ("::1", 3306));
        assert_eq!((address.user.as_str(), address.password), ("", None));
        assert_eq!(address.trust, Trust::VerifyIdentity);
        assert_eq!(address.ca.as_deref(), Some("/etc/ca.pem"));
        let address = parse("mysql://root@/shop?socket=/run/mysqld/mysqld.sock").unwrap();
        assert_eq!(address.socket.as_deref(), Some("/run/mysqld/mysqld.sock"));
        assert_eq!(address.host, "localhost");
    }

    #[test]
    fn a_password_may_hold_what_divides_a_url() {
        let address = parse("mysql://app:a@b/c?d#e@db/shop?ssl-mode=disabled").unwrap();
        assert_eq!(address.password.as_deref(), Some("a@b/c?d#e"));
        assert_eq!(
            (address.host.as_str(), address.database.as_str()),
            ("db", "shop")
        );
        assert_eq!(address.trust, Trust::Disabled);
    }

    #[test]
    fn mistakes_are_told_without_the_password() {
        for (url, part) in [
            ("mysql:shop", "no `//`"),
            ("mysql://app:hunter2@db", "no database"),
            ("mysql://app:hunter2@db:x/shop", "`x` is no port"),
            (
                "mysql://app:hunter2@db/shop?sslmod=x",
                "unknown parameter `sslmod`",
            ),
            (
                "mysql://app:hunter2@db/shop?ssl-mode=x",
                "`x` is no ssl-mode",
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
