use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::redact::remove_secret_parameters;
use crate::{Error, ErrorKind, Result};

/// A database URL: a scheme, and whatever the backend of that scheme makes of the rest.
///
/// `Display` and `Debug` leave every password out; [`expose`](Self::expose) is the only way to one.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    text: String,
    scheme_len: usize,
}

/// Keys of an ADO string that name the user.
const USER_KEYS: [&str; 4] = ["user id", "uid", "user", "username"];

/// Everything but the characters that RFC 3986 calls unreserved.
const USERINFO: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl DatabaseUrl {
    /// Reads the scheme.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] when there is no scheme; the message shows nothing of the text.
    pub fn parse(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let scheme_len = text.find(':').unwrap_or(0);
        let scheme = &text[..scheme_len];
        let legal = |(i, c): (usize, char)| {
            c.is_ascii_alphabetic() || i > 0 && (c.is_ascii_digit() || "+-.".contains(c))
        };
        if scheme.is_empty() || !scheme.char_indices().all(legal) {
            return Err(Error::new(ErrorKind::InvalidConfig, "the database URL has no scheme")
                .with_hint("write it as scheme:rest, for example sqlite:app.db or postgres://user@host/database"));
        }
        Ok(Self { text, scheme_len })
    }

    /// The scheme, as written.
    pub fn scheme(&self) -> &str {
        &self.text[..self.scheme_len]
    }

    /// All that follows `scheme:`, a password included.
    pub fn expose_rest(&self) -> &str {
        &self.text[self.scheme_len + 1..]
    }

    /// The whole URL, a password included. For the backend that connects; never for an output.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The same URL with another password, percent-encoded; an ADO string that names a user (`sqlserver:Server=db;User Id=app`) with
    /// another value of `Password`. Any other URL without an authority (`sqlite:file`) stays as it is.
    #[must_use]
    pub fn with_password(&self, password: &str) -> Self {
        let Some(authority) = self.authority() else {
            return self.with_password_of_ado(password);
        };
        let (userinfo, host) = split_userinfo(&self.text[authority.clone()]);
        let user = userinfo
            .unwrap_or_default()
            .split(':')
            .next()
            .unwrap_or_default();
        let password = utf8_percent_encode(password, USERINFO);
        let (before, after) = (&self.text[..authority.start], &self.text[authority.end..]);
        Self {
            text: format!("{before}{user}:{password}@{host}{after}"),
            scheme_len: self.scheme_len,
        }
    }

    fn with_password_of_ado(&self, password: &str) -> Self {
        let names_user = self.expose_rest().split(';').any(|pair| {
            let key = pair.split('=').next().unwrap_or_default().trim();
            pair.contains('=') && USER_KEYS.iter().any(|user| user.eq_ignore_ascii_case(key))
        });
        if !names_user {
            return self.clone();
        }
        let rest = remove_secret_parameters(self.expose_rest());
        let password = password.replace('"', "\"\"");
        Self {
            text: format!("{}:{rest};Password=\"{password}\"", self.scheme()),
            scheme_len: self.scheme_len,
        }
    }

    /// Where `user:password@host:port` stands in the text.
    fn authority(&self) -> Option<std::ops::Range<usize>> {
        let start = self.scheme_len + 3;
        self.text[self.scheme_len + 1..].strip_prefix("//")?;
        // A password with a raw `/`, `?` or `#` must not leak either: the last `@` before the query ends the userinfo.
        let query = self.text[start..]
            .find('?')
            .map_or(self.text.len(), |i| start + i);
        let from = match self.text[start..query]
            .rfind('@')
            .or_else(|| self.text[start..].rfind('@'))
        {
            Some(at) => start + at,
            None => start,
        };
        let end = self.text[from..]
            .find(['/', '?', '#', ';'])
            .map_or(self.text.len(), |i| from + i);
        Some(start..end)
    }
}

/// Leaves out what stands for a port and is none: in `app:hunter2` with its `@host` forgotten it is a password.
fn remove_invalid_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if !port.ends_with(']') && !port.bytes().all(|b| b.is_ascii_digit() || b == b',') =>
        {
            name
        }
        _ => host,
    }
}

/// Splits `user:password@host` at the last `@`.
fn split_userinfo(authority: &str) -> (Option<&str>, &str) {
    match authority.rsplit_once('@') {
        Some((userinfo, host)) => (Some(userinfo), host),
        None => (None, authority),
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(authority) = self.authority() else {
            let rest = remove_secret_parameters(self.expose_rest());
            return write!(f, "{}:{rest}", self.scheme());
        };
        let (userinfo, host) = split_userinfo(&self.text[authority.clone()]);
        f.write_str(&self.text[..authority.start])?;
        if let Some(user) = userinfo
            .and_then(|userinfo| userinfo.split(':').next())
            .filter(|user| !user.is_empty())
        {
            write!(f, "{user}@")?;
        }
        f.write_str(remove_invalid_port(host))?;
        f.write_str(&remove_secret_parameters(&self.text[authority.end..]))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

impl std::str::FromStr for DatabaseUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (text, shown) in [
            (
                "postgres://app:hunter2@db:5432/shop",
                "postgres://app@db:5432/shop",
            ),
            (
                "postgres://app:hun@ter2@db/shop?x=1",
                "postgres://app@db/shop?x=1",
            ),
            ("postgres://app:hun/ter2@db/shop", "postgres://app@db/shop"),
            ("postgres://app:hun?ter2@db/shop", "postgres://app@db/shop"),
            ("postgres://:hunter2@db/shop", "postgres://db/shop"),
            (
                "postgres://db/shop?user=app&password=hunter2&a=b",
                "postgres://db/shop?user=app&a=b",
            ),
            ("postgres://db/shop?password=hunter2", "postgres://db/shop"),
            (
                "mysql://db/shop?pw=hunter2&pass=hunter2&sslPassword=hunter2",
                "mysql://db/shop",
            ),
            (
                "sqlserver://db;user=sa;Password=hunter2;x=y",
                "sqlserver://db;user=sa;x=y",
            ),
            (
                "sqlserver:Server=db;User Id=sa;Password=\"hun;t\"\"er;ter2\";Database=x",
                "sqlserver:Server=db;User Id=sa;Database=x",
            ),
            (
                "sqlserver:Server=db;Pwd = {hun;ter2} ;Database=x",
                "sqlserver:Server=db;Database=x",
            ),
            ("sqlserver:Server=db;Pwd='hun;ter2", "sqlserver:Server=db"),
            (
                "sqlserver:Password=hunter2;Server=db",
                "sqlserver:Server=db",
            ),
            (
                "postgres://db/shop?options='a&password=hunter2",
                "postgres://db/shop?options='a",
            ),
            ("postgres://app:hunter2/shop", "postgres://app/shop"),
            ("postgres://[::1]:5432/shop", "postgres://[::1]:5432/shop"),
            ("postgres://[::1]/shop", "postgres://[::1]/shop"),
            (
                "postgres://db/shop?%70assword=hunter2",
                "postgres://db/shop",
            ),
            ("sqlite:some/file.db", "sqlite:some/file.db"),
            ("sqlite::memory:", "sqlite::memory:"),
        ] {
            let url = DatabaseUrl::parse(text).unwrap();
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("ter2"), "{url:?}");
            assert_eq!(url.expose(), text);
        }
    }

    #[test]
    fn a_password_can_be_put_in() {
        let url = DatabaseUrl::parse("postgres://app:old@db/shop")
            .unwrap()
            .with_password("p@ss/word");
        assert_eq!(url.expose(), "postgres://app:p%40ss%2Fword@db/shop");
        let url = DatabaseUrl::parse("postgres://app@db/shop")
            .unwrap()
            .with_password("new");
        assert_eq!(url.expose(), "postgres://app:new@db/shop");
        let ado = "sqlserver:Server=db,1;User Id=sa;Password='o;ld';Database=x";
        let url = DatabaseUrl::parse(ado).unwrap().with_password("n\"e;w");
        assert_eq!(
            url.expose(),
            "sqlserver:Server=db,1;User Id=sa;Database=x;Password=\"n\"\"e;w\""
        );
        assert_eq!(
            url.to_string(),
            "sqlserver:Server=db,1;User Id=sa;Database=x"
        );
        let url = DatabaseUrl::parse("sqlite:file")
            .unwrap()
            .with_password("new");
        assert_eq!(url.expose(), "sqlite:file");
    }

    #[test]
    fn a_text_without_a_scheme_is_refused_without_being_shown() {
        for text in ["", "hunter2", "//app:hunter2@db", "/path:hunter2", "1a:b"] {
            let error = DatabaseUrl::parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
