//! Takes passwords out of text that we did not make: echoed arguments, a server's or a driver's messages.

use std::borrow::Cow;

const MASK: &str = "***";

/// How keys end whose value is a secret, in a query, an ADO string or a configuration file.
const SECRET_ENDS: [&str; 4] = ["password", "passwd", "pwd", "passphrase"];

/// Keys that were meant as such.
const SECRET_KEYS: [&str; 2] = ["pass", "pw"];

/// The text with `***` where a password stands. Sees URLs (`scheme://user:password@host`), what was meant to be one
/// (`scheme:user:password@host`), and `password=…`.
pub(crate) fn redact(text: &str) -> Cow<'_, str> {
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive(char::is_whitespace) {
        let token = piece.trim_end();
        match userinfo(token) {
            Some((from, to)) => {
                out.push_str(&token[..from]);
                out.push_str(MASK);
                out.push_str(&token[to..]);
                out.push_str(&piece[token.len()..]);
            }
            None => out.push_str(piece),
        }
    }
    let out = without_values(out);
    if out == text {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(out)
    }
}

/// Where the password of a URL stands.
fn userinfo(token: &str) -> Option<(usize, usize)> {
    // A path, where `@` and `:` are characters like others.
    let bare = token.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    if bare.starts_with("sqlite:") || bare.starts_with("sqlite3:") {
        return None;
    }
    let Some(at) = token.rfind('@') else {
        return wrong_port(token);
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
        // `scheme://user@host` has none; `user:password@host` has one behind its first colon.
        None if token.contains("://") => None,
        None => Some((start, at)),
    }
}

/// What stands for a port and is none: in `scheme://user:password` with its `@host` forgotten it is a password.
fn wrong_port(token: &str) -> Option<(usize, usize)> {
    let start = token.find("://")? + 3;
    let end = token[start..]
        .find(['/', '?', '#', '\'', '"', '`', ',', ')'])
        .map_or(token.len(), |end| start + end);
    let colon = start + token[start..end].rfind(':')? + 1;
    let port = &token[colon..end];
    let is_port = port.ends_with(']') || port.bytes().all(|byte| byte.is_ascii_digit());
    (!is_port).then_some((colon, end))
}

fn without_values(text: String) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (at, _) in lower.match_indices('=') {
        let key = lower[..at]
            .trim_end()
            .rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .next()
            .unwrap_or_default();
        let is_secret =
            SECRET_KEYS.contains(&key) || SECRET_ENDS.iter().any(|end| key.ends_with(end));
        if at < done || !is_secret {
            continue;
        }
        let value = at + 1 + (text[at + 1..].len() - text[at + 1..].trim_start().len());
        let rest = &text[value..];
        let length = match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => quoted(rest, quote),
            Some('{') => quoted(rest, '}'),
            _ => rest
                .find(|c: char| c.is_whitespace() || c.is_control() || "&;,)`'\"".contains(c))
                .unwrap_or(rest.len()),
        };
        out.push_str(&text[done..value]);
        if length > 0 {
            out.push_str(MASK);
        }
        done = value + length;
    }
    out.push_str(&text[done..]);
    out
}

/// How long a value in quotes is; a quote is doubled within.
fn quoted(text: &str, close: char) -> usize {
    let mut at = 1;
    while let Some(found) = text[at..].find(close) {
        at += found + 1;
        if !text[at..].starts_with(close) {
            return at;
        }
        at += 1;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_stays() {
        for text in [
            "unexpected argument 'postgres://app:hunter2@db/shop' found",
            "postgres://app:hun:ter2@db:5432/shop?x=1",
            "postgres://:hunter2@db",
            "unexpected argument 'postgres://app:hunter2' found",
            "postgres://db/shop?pass=hunter2",
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
            let shown = redact(text);
            assert!(!shown.contains("ter2"), "{shown}");
            assert!(shown.contains(MASK), "{shown}");
        }
        assert_eq!(
            redact("cannot reach postgres://app:hunter2@db:5432/shop now"),
            "cannot reach postgres://app:***@db:5432/shop now"
        );
    }

    #[test]
    fn what_is_no_password_stays() {
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
            assert_eq!(redact(text), text);
        }
    }
}
