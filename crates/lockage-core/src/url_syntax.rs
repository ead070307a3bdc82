//! Where the user and the password of a URL end. Parsers of URLs and the masking of passwords share this rule.

use crate::redact::{MASK, remove_secret_entries, remove_secret_parameters};

/// How a backend reads the text after `scheme:`. [`Backend::with_url_syntax`](crate::Backend::with_url_syntax) declares it.
///
/// [`DatabaseUrl`](crate::DatabaseUrl) omits a password by the rule by which its backend reads it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlSyntax {
    /// Not declared. A URL that can be read in several ways is not shown.
    #[default]
    Unknown,
    /// A path, in which `@` and `:` have no meaning.
    Path,
    /// `//user:password@host/database?parameters`, where the last `@` ends the password. The password can contain any
    /// character without encoding.
    LastAt,
    /// The same, where the first `@` before a `/` ends the password, as in
    /// [libpq](https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS).
    FirstAt,
}

impl UrlSyntax {
    /// Returns the syntax of the linked backend that serves a scheme.
    pub(crate) fn of_scheme(scheme: &str) -> Self {
        let serves = |found: &&SchemeSyntax| {
            let mut schemes = found.schemes.iter();
            schemes.any(|known| known.eq_ignore_ascii_case(scheme))
        };
        inventory::iter::<SchemeSyntax>
            .into_iter()
            .find(serves)
            .map_or(Self::Unknown, |found| found.syntax)
    }
}

/// The item that [`register_backend!`](crate::register_backend) submits to inventory: the syntax of a backend's schemes.
#[doc(hidden)]
#[derive(Debug)]
pub struct SchemeSyntax {
    pub schemes: &'static [&'static str],
    pub syntax: UrlSyntax,
}

inventory::collect!(SchemeSyntax);

/// The parts of a URL after `scheme://`, still encoded.
#[derive(Clone, Copy)]
pub struct UrlParts<'a> {
    syntax: UrlSyntax,
    /// `user` or `user:password`.
    pub user_info: Option<&'a str>,
    /// `host:port/database`.
    pub location: &'a str,
    /// The text after `?`.
    pub query: Option<&'a str>,
}

/// Omits the password.
impl std::fmt::Debug for UrlParts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UrlParts({})", self.redact())
    }
}

impl<'a> UrlParts<'a> {
    /// Splits the text after `scheme://`.
    pub fn split(text: &'a str, syntax: UrlSyntax) -> Self {
        let at = match syntax {
            UrlSyntax::Path => None,
            UrlSyntax::FirstAt => text
                .find(['@', '/'])
                .filter(|at| text[*at..].starts_with('@')),
            UrlSyntax::LastAt | UrlSyntax::Unknown => text.rfind('@'),
        };
        let (user_info, rest) = match at {
            Some(at) => (Some(&text[..at]), &text[at + 1..]),
            None => (None, text),
        };
        let (location, query) = match rest.split_once('?') {
            Some((location, query)) => (location, Some(query)),
            None => (rest, None),
        };
        Self {
            syntax,
            user_info,
            location,
            query,
        }
    }

    /// Returns whether the URL contains a password and an `@` that could be a part of it, although it is read as a part of
    /// something else.
    pub fn is_ambiguous(&self) -> bool {
        let after = |text: &str| text.contains('@');
        let user_info = self.user_info.unwrap_or_default();
        match self.syntax {
            UrlSyntax::LastAt => false,
            // An encoded password contains none of these characters.
            UrlSyntax::Unknown => user_info.contains(['@', '/', '?', '#']),
            _ if self.user_info.is_none() => match self.location.split_once(':') {
                Some((_, port)) if after(port) => true,
                Some((_, port)) => {
                    let query = self.query.unwrap_or_default();
                    let is_port = port.starts_with(|first: char| first.is_ascii_digit());
                    after(query) && (!is_port || !has_only_parameters(query))
                }
                None => false,
            },
            _ => {
                let query = self.query.unwrap_or_default();
                user_info.contains(':') && (after(self.location) || !has_only_parameters(query))
            }
        }
    }

    /// Returns the text without secrets.
    pub(crate) fn redact(&self) -> String {
        let user_info = self.user_info.unwrap_or_default();
        let end = user_info.find([':', '/', '?', '#', '@', '&', '=', ';']);
        let user = &user_info[..end.unwrap_or(user_info.len())];
        let query_may_be_password = self.syntax == UrlSyntax::FirstAt
            && user_info.contains(':')
            && self.query.is_some_and(|query| query.contains('@'));
        if self.is_ambiguous() || query_may_be_password {
            let first = self.location.split([':', '/', '@']).next();
            let user = match self.user_info {
                Some(_) => user,
                None => first.unwrap_or_default(),
            };
            return format!("{user}@{MASK}");
        }
        let shown = match host_of_invalid_port(self.location) {
            // The rest could belong to a password: `app:hunter2` without `@host`.
            Some(host) => host.to_owned(),
            None => join_query(
                &remove_secret_entries(self.location),
                &remove_secret_parameters(self.query.unwrap_or_default()),
            ),
        };
        match user {
            "" => shown,
            user => format!("{user}@{shown}"),
        }
    }
}

/// Returns whether every `@` is in the value of a parameter.
fn has_only_parameters(query: &str) -> bool {
    let mut with_at = query.split('&').filter(|parameter| parameter.contains('@'));
    with_at.all(|parameter| {
        parameter.split_once('=').is_some_and(|(key, _)| {
            !key.is_empty()
                && key
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        })
    })
}

/// Returns the location with its parameters, if any.
pub(crate) fn join_query(location: &str, query: &str) -> String {
    match query {
        "" => location.to_owned(),
        query => format!("{location}?{query}"),
    }
}

/// Returns the first host if the text after a colon is not a port.
fn host_of_invalid_port(location: &str) -> Option<&str> {
    let authority = location.split('/').next()?;
    let has_valid_port = |host: &str| {
        let after_address = match host.starts_with('[') {
            true => host.split_once(']').map_or("", |(_, after)| after),
            false => host,
        };
        let port = after_address.split_once(':').map_or("", |(_, port)| port);
        port.bytes().all(|byte| byte.is_ascii_digit())
    };
    let host = authority.split(':').next().unwrap_or_default();
    (!authority.split(',').all(has_valid_port)).then_some(host)
}
