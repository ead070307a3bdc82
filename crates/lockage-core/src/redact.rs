//! Removes secrets from text: the one list of secret keys, and the functions that use it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The text that replaces a secret.
pub const MASK: &str = "***";

/// Endings of keys whose value is a secret, in the query of a URL, an ADO string or a configuration file.
const SECRET_KEY_ENDINGS: [&str; 4] = ["password", "passwd", "passphrase", "pwd"];

/// Further keys whose value is a secret, or was probably meant as one.
const SECRET_KEYS: [&str; 3] = ["pass", "passfile", "pw"];

/// Returns whether the value of `key` is a secret. Case, white space around the key and percent-encoding do not matter.
pub fn is_secret_key(key: &str) -> bool {
    let key = percent_decode_str(key.trim())
        .decode_utf8_lossy()
        .to_ascii_lowercase();
    SECRET_KEYS.contains(&key.as_str())
        || SECRET_KEY_ENDINGS
            .iter()
            .any(|ending| key.ends_with(ending))
}

/// Returns `text` with [`MASK`] in place of every password.
///
/// It is for text from elsewhere: arguments that are echoed, messages of a server or a driver. It recognises URLs
/// (`scheme://user:password@host`), incomplete URLs (`scheme:user:password@host`), and `password=…`.
pub fn mask_secrets(text: &str) -> Cow<'_, str> {
    let masked = mask_values(&mask_userinfo(text));
    if masked == text {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(masked)
    }
}

/// Masks the passwords of URLs.
fn mask_userinfo(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_inclusive(char::is_whitespace) {
        let token = word.trim_end();
        match password_in_url(token) {
            Some((from, to)) => {
                out.push_str(&token[..from]);
                out.push_str(MASK);
                out.push_str(&token[to..]);
                out.push_str(&word[token.len()..]);
            }
            None => out.push_str(word),
        }
    }
    out
}

/// Returns the byte range of the password in a URL.
fn password_in_url(token: &str) -> Option<(usize, usize)> {
    // A SQLite URL is a path, in which `@` and `:` have no special meaning.
    let url = token.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    if url.starts_with("sqlite:") || url.starts_with("sqlite3:") {
        return None;
    }
    let Some(at) = token.rfind('@') else {
        return invalid_port(token);
    };
    let start = match token.find("://") {
        Some(scheme) => scheme + 3,
        None => token.find(':')? + 1,
    };
    if start > at {
        return None;
    }
    match token[start..at].find(':') {
        Some(colon) => Some((start + colon + 1, at)),
        // `scheme://user@host` has no password. In `user:password@host` it follows the first colon.
        None if token.contains("://") => None,
        None => Some((start, at)),
    }
}

/// Returns the byte range of a port that is not a number: in `scheme://user:password` without `@host` it is a password.
fn invalid_port(token: &str) -> Option<(usize, usize)> {
    let start = token.find("://")? + 3;
    let end = token[start..]
        .find(['/', '?', '#', '\'', '"', '`', ',', ')'])
        .map_or(token.len(), |end| start + end);
    let colon = start + token[start..end].rfind(':')? + 1;
    let port = &token[colon..end];
    let is_port = port.ends_with(']') || port.bytes().all(|byte| byte.is_ascii_digit());
    (!is_port).then_some((colon, end))
}

/// Masks the values of secret keys: `password=…`.
fn mask_values(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (at, _) in text.match_indices('=') {
        let key = text[..at]
            .trim_end()
            .rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .next()
            .unwrap_or_default();
        if at < done || !is_secret_key(key) {
            continue;
        }
        let value = at + 1 + (text[at + 1..].len() - text[at + 1..].trim_start().len());
        let rest = &text[value..];
        let length = quoted_len(rest).unwrap_or_else(|| {
            rest.find(|c: char| c.is_whitespace() || c.is_control() || "&;,)`'\"".contains(c))
                .unwrap_or(rest.len())
        });
        out.push_str(&text[done..value]);
        if length > 0 {
            out.push_str(MASK);
        }
        done = value + length;
    }
    out.push_str(&text[done..]);
    out
}

/// Removes `password=…` and other secrets from the parameters of a URL. Keys are compared after percent-decoding.
pub(crate) fn remove_secret_parameters(query: &str) -> String {
    let is_shown = |parameter: &&str| {
        let key = parameter.split('=').next().unwrap_or_default();
        !is_secret_key(key)
    };
    let shown: Vec<String> = query
        .split('&')
        .filter(is_shown)
        .map(remove_secret_entries)
        .collect();
    shown.join("&").trim_end_matches('&').to_owned()
}

/// Removes `Password=…;` and other secrets from an ADO string. As in its parser, a value can be quoted, and only `;` ends an
/// entry. An entry without `=` after a secret is removed, too: it could be a part of the secret.
pub(crate) fn remove_secret_entries(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut after_secret = false;
    while !rest.is_empty() {
        let end = entry_end(rest, 0);
        let entry = &rest[..end];
        match entry.split_once('=') {
            Some((key, _)) if is_secret_key(last_word(key)) => {
                let secret = key.len() - last_word(key).len();
                out.push_str(&rest[..secret]);
                after_secret = true;
                rest = skip_secret_value(rest, key.len() + 1);
            }
            None if after_secret => rest = &rest[end..],
            _ => {
                out.push_str(entry);
                rest = &rest[end..];
            }
        }
    }
    out.trim_end_matches([';', '?', '&']).to_owned()
}

/// Returns the text after the last separator of URL parameters: `Server=db?password` ends in `password`.
fn last_word(key: &str) -> &str {
    key.rsplit(['?', '&']).next().unwrap_or(key)
}

/// Returns the index after an entry of an ADO string, its separator included.
fn entry_end(text: &str, from: usize) -> usize {
    text[from..]
        .find(';')
        .map_or(text.len(), |at| from + at + 1)
}

/// Returns the text after a secret value, which can be quoted.
fn skip_secret_value(text: &str, value: usize) -> &str {
    let start = text.len() - text[value..].trim_start().len();
    match quoted_len(&text[start..]) {
        Some(length) => &text[entry_end(text, start + length)..],
        None => &text[entry_end(text, value)..],
    }
}

/// Returns the length of the value at the start of `text` if it is in quotes or braces. A doubled quote is part of the
/// value. A value without its closing quote extends to the end of the text.
fn quoted_len(text: &str) -> Option<usize> {
    let close = match text.chars().next()? {
        quote @ ('"' | '\'') => quote,
        '{' => '}',
        _ => return None,
    };
    let mut at = 1;
    while let Some(found) = text[at..].find(close) {
        at += found + 1;
        if !text[at..].starts_with(close) {
            return Some(at);
        }
        at += 1;
    }
    Some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_with_password_is_masked() {
        for text in [
            "unexpected argument 'postgres://app:hunter2@db/shop' found",
            "postgres://app:hun:ter2@db:5432/shop?x=1",
            "postgres://:hunter2@db",
            "unexpected argument 'postgres://app:hunter2' found",
            "postgres://db/shop?pass=hunter2",
            "postgres://db/shop?passfile=/home/hunter2",
            "app:hunter2@db/shop",
            "mysql:app:hunter2@db/shop",
            "Server=db;User Id=sa;Password=hunter2;x=y",
            "host=db password=hunter2 user=app",
            "Server=db;Password=\"hun\"\"ter2\";x=y",
            "Server=db;Password={hun;ter2};x=y",
            "password = \"hunter2 hunter2\" # x",
            "postgres://db/shop?user=app&password=hunter2&a=b",
            "`postgres://app:hunter2@a/b`,`postgres://app:hunter2@c/d`",
        ] {
            let shown = mask_secrets(text);
            assert!(!shown.contains("ter2"), "{shown}");
            assert!(shown.contains(MASK), "{shown}");
        }
        assert_eq!(
            mask_secrets("cannot reach postgres://app:hunter2@db:5432/shop now"),
            "cannot reach postgres://app:***@db:5432/shop now"
        );
    }

    #[test]
    fn text_without_password_is_unchanged() {
        for text in [
            "",
            "held by app@10.0.0.1:4000 (session 12, lockage) since 2026-01-31T09:30:00Z",
            "migrations/V1__a.sql:3:8: near \"TABEL\": syntax error",
            "postgres://app@db:5432/shop",
            "cannot reach postgres://db:5432/shop: postgres://[::1]/shop",
            "sqlite://C:\\app.db",
            "`sqlite:some@file.db`: password authentication failed",
            "a  b\tc\n",
        ] {
            assert_eq!(mask_secrets(text), text);
        }
    }
}
