use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::redact::{remove_secret_entries, remove_secret_parameters};
use crate::url_syntax::{UrlParts, UrlSyntax, join_query};
use crate::{Error, ErrorKind, Result};

/// A database URL: a scheme, and a rest that the backend of that scheme parses.
///
/// `Display` and `Debug` omit every password. Only [`as_secret_str`](Self::as_secret_str) and
/// [`secret_after_scheme`](Self::secret_after_scheme) return it.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    text: String,
    scheme_len: usize,
}

/// Keys of an ADO string that name the user.
const USER_KEYS: [&str; 4] = ["user id", "uid", "user", "username"];

/// All characters except the unreserved ones of [RFC 3986](https://www.rfc-editor.org/rfc/rfc3986#section-2.3).
const USERINFO: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl DatabaseUrl {
    /// Parses a URL. Only the scheme is checked.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] without a scheme. The message does not contain the text, which could be a password.
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

    /// Returns the scheme as it was written.
    pub fn scheme(&self) -> &str {
        &self.text[..self.scheme_len]
    }

    /// Returns the text after `scheme:`, including a password.
    pub fn secret_after_scheme(&self) -> &str {
        &self.text[self.scheme_len + 1..]
    }

    /// Returns the complete URL, including a password. It is for connecting and must not be printed.
    pub fn as_secret_str(&self) -> &str {
        &self.text
    }

    /// Returns the URL with another password.
    ///
    /// A URL with an authority gets the password percent-encoded. An ADO string that names a user
    /// (`sqlserver:Server=db;User Id=app`) gets another value of `Password`. Any other URL (`sqlite:file`) is unchanged.
    #[must_use]
    pub fn with_password(&self, password: &str) -> Self {
        let rest = self.secret_after_scheme();
        let syntax = UrlSyntax::of_scheme(self.scheme());
        let Some(after_slashes) = rest.strip_prefix("//") else {
            return self.with_ado_password(password);
        };
        if syntax == UrlSyntax::Path {
            return self.clone();
        }
        let parts = UrlParts::split(after_slashes, syntax);
        let user = parts.user_info.unwrap_or_default();
        let user = user.split(':').next().unwrap_or_default();
        let password = utf8_percent_encode(password, USERINFO);
        let mut text = format!("{}://{user}:{password}@{}", self.scheme(), parts.location);
        if let Some(query) = parts.query {
            text.push('?');
            text.push_str(query);
        }
        Self {
            text,
            scheme_len: self.scheme_len,
        }
    }

    fn with_ado_password(&self, password: &str) -> Self {
        let names_user = self.secret_after_scheme().split(';').any(|pair| {
            let key = pair.split('=').next().unwrap_or_default().trim();
            pair.contains('=') && USER_KEYS.iter().any(|user| user.eq_ignore_ascii_case(key))
        });
        if !names_user {
            return self.clone();
        }
        let rest = remove_secret_entries(self.secret_after_scheme());
        let password = password.replace('"', "\"\"");
        Self {
            text: format!("{}:{rest};Password=\"{password}\"", self.scheme()),
            scheme_len: self.scheme_len,
        }
    }
}

/// Writes the URL without its secrets, as the parser of its scheme reads it. Where that parser could read a raw password as
/// something else, nothing of the URL is shown but the user.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = self.secret_after_scheme();
        let shown = match (UrlSyntax::of_scheme(self.scheme()), rest.strip_prefix("//")) {
            (UrlSyntax::Path, _) => redact_path(rest),
            (_, None) => remove_secret_entries(rest),
            (syntax, Some(after_slashes)) => {
                format!("//{}", UrlParts::split(after_slashes, syntax).redact())
            }
        };
        write!(f, "{}:{shown}", self.scheme())
    }
}

/// Returns a path with its parameters, without secret parameters.
fn redact_path(rest: &str) -> String {
    match rest.split_once('?') {
        Some((path, query)) => join_query(path, &remove_secret_parameters(query)),
        None => rest.to_owned(),
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
    fn display_omits_password() {
        for (text, shown) in [
            (
                "postgres://app:hunter2@db:5432/shop",
                "postgres://app@db:5432/shop",
            ),
            ("postgres://app:hun@ter2@db/shop?x=1", "postgres://app@***"),
            ("postgres://app:hun/ter2@db/shop", "postgres://app@***"),
            ("postgres://app:hun?ter2@db/shop", "postgres://app@***"),
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
            ("postgres://app:hunter2/shop", "postgres://app"),
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
            assert_eq!(url.as_secret_str(), text);
        }
    }

    #[test]
    fn with_password_replaces_password() {
        let url = DatabaseUrl::parse("postgres://app:old@db/shop")
            .unwrap()
            .with_password("p@ss/word");
        assert_eq!(url.as_secret_str(), "postgres://app:p%40ss%2Fword@db/shop");
        let url = DatabaseUrl::parse("postgres://app@db/shop")
            .unwrap()
            .with_password("new");
        assert_eq!(url.as_secret_str(), "postgres://app:new@db/shop");
        let ado = "sqlserver:Server=db,1;User Id=sa;Password='o;ld';Database=x";
        let url = DatabaseUrl::parse(ado).unwrap().with_password("n\"e;w");
        assert_eq!(
            url.as_secret_str(),
            "sqlserver:Server=db,1;User Id=sa;Database=x;Password=\"n\"\"e;w\""
        );
        assert_eq!(
            url.to_string(),
            "sqlserver:Server=db,1;User Id=sa;Database=x"
        );
        let url = DatabaseUrl::parse("sqlite:file")
            .unwrap()
            .with_password("new");
        assert_eq!(url.as_secret_str(), "sqlite:file");
    }

    #[test]
    fn url_without_scheme_is_an_error_that_omits_the_text() {
        for text in ["", "hunter2", "//app:hunter2@db", "/path:hunter2", "1a:b"] {
            let error = DatabaseUrl::parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
