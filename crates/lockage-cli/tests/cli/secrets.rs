//! No part of a password is in any output.

use std::fmt::Write as _;

use lockage::{ConnectOptions, DatabaseUrl, Registry};

use crate::sandbox::Sandbox;

const CASES: u64 = 190;

/// A small generator of reproducible numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let limit = u64::try_from(limit).unwrap();
        usize::try_from((z ^ (z >> 31)) % limit).unwrap()
    }

    fn pick(&mut self, from: &[u8]) -> char {
        char::from(from[self.below(from.len())])
    }

    /// A password with characters that have a meaning in URLs, and upper-case letters that appear nowhere else.
    fn password(&mut self) -> String {
        let length = 4 + self.below(14);
        (0..length)
            .map(|_| match self.below(4) {
                0 => self.pick(b"@:/?#&=;%+ '\"[]{}\\,!$*().-_"),
                1 => self.pick(b"0123456789"),
                _ => self.pick(b"QXZJKVWY"),
            })
            .collect()
    }
}

fn encode(password: &str) -> String {
    let mut out = String::new();
    for byte in password.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// URLs of every engine and of one that is not linked. Nothing listens on port 1.
fn urls(password: &str) -> Vec<String> {
    let mut urls = Vec::new();
    for scheme in ["postgres", "mysql", "mariadb", "sqlserver", "acme"] {
        for written in [password, &encode(password)] {
            urls.push(format!("{scheme}://pwx:{written}@127.0.0.1:1/lk"));
            urls.push(format!("{scheme}://:{written}@127.0.0.1:1/lk"));
            urls.push(format!("{scheme}://pwx:{written}@127.0.0.1:1/lk?nope=1"));
        }
        // The host is missing. A password such as `5432/x`, `x@y` or `1,x` is then
        // read as port and database, as a host, or as a second host.
        let end = password.find(|c: char| !c.is_ascii_digit());
        let reads_as_port = end.is_none_or(|end| password[end..].starts_with(['/', '?']));
        if !reads_as_port && !password.contains(['@', ',']) {
            urls.push(format!("{scheme}://pwx:{password}"));
        }
        let encoded = encode(password);
        urls.push(format!(
            "{scheme}://127.0.0.1:1/lk?user=pwx&password={encoded}"
        ));
    }
    let quoted = password.replace('"', "\"\"");
    urls.push(format!(
        "sqlserver:Server=127.0.0.1,1;Database=lk;User Id=pwx;Password=\"{quoted}\";Encrypt=maybe"
    ));
    urls.push(format!(
        "sqlserver:Password=\"{quoted}\";Server=127.0.0.1,x;Database=lk;User Id=pwx"
    ));
    urls
}

/// Returns a part of the password that the text contains and that is longer than three characters.
fn leaked<'a>(password: &'a str, text: &str) -> Option<&'a str> {
    (0..=password.len().saturating_sub(4))
        .map(|start| &password[start..start + 4])
        .find(|part| text.contains(part))
}

fn assert_hidden(seed: u64, password: &str, url: &str, shown: &str) {
    for form in [password.to_owned(), encode(password)] {
        if let Some(part) = leaked(&form, shown) {
            panic!("seed {seed}: {part:?} of {url:?} is in {shown}");
        }
    }
}

#[tokio::test]
async fn url_and_errors_show_no_part_of_any_password() {
    let registry = Registry::linked().unwrap();
    for seed in 0..CASES {
        let password = Random(seed).password();
        for text in urls(&password) {
            let url = DatabaseUrl::parse(text.clone()).unwrap();
            let mut shown = format!("{url} {url:?}");
            let mut options = ConnectOptions::new(text.clone()).unwrap();
            options.connect_timeout = std::time::Duration::from_secs(1);
            let _ = write!(shown, " {options:?}");
            if text.contains("nope=1") || !text.contains("@127") {
                // The parser refuses most of these, so that no connection is tried.
                let error = registry.connect(&options).await.unwrap_err();
                let _ = write!(shown, " {error} {error:?} {:?}", error.hint());
                let message = lockage::redact::mask_secrets(error.message()).into_owned();
                shown.push_str(&message);
            }
            assert_hidden(seed, &password, &text, &shown);
            let replaced = url.with_password("other").to_string();
            assert_hidden(seed, &password, &text, &replaced);
        }
    }
}

#[test]
fn sampled_urls_are_shown_as_their_parser_reads_them() {
    for (text, shown) in [
        (
            "mysql://pwx:hun@ter2?xyz@127.0.0.1/lk",
            "mysql://pwx@127.0.0.1/lk",
        ),
        (
            "mysql://pwx:hun@ter2@db/lk?ssl-mode=required",
            "mysql://pwx@db/lk?ssl-mode=required",
        ),
        (
            "sqlserver://sa:a@b/c?d#e@db:1433/lk",
            "sqlserver://sa@db:1433/lk",
        ),
        (
            "postgres://app:hun?ter2@db/lk?sslmode=require",
            "postgres://app@db/lk?sslmode=require",
        ),
        (
            "postgres://db/lk?user=a@b&password=hunter2",
            "postgres://db/lk?user=a@b",
        ),
        ("postgres://app:hun@ter2@db/lk", "postgres://app@***"),
        ("postgres://app:12/hunter2@db/lk", "postgres://app@***"),
        ("acme://app:hun@ter2@db/lk", "acme://app@***"),
        ("acme://app:hunter2@db/lk?x=1", "acme://app@db/lk?x=1"),
        ("sqlite:///srv/a:b@c.db", "sqlite:///srv/a:b@c.db"),
        ("mysql://app:hunter2", "mysql://app"),
        (
            "sqlserver:Server=db;Password=hun?password2&ter;Database=x",
            "sqlserver:Server=db;Database=x",
        ),
    ] {
        assert_eq!(DatabaseUrl::parse(text).unwrap().to_string(), shown);
    }
}

#[test]
fn output_of_the_program_shows_no_part_of_a_password() {
    let sandbox = Sandbox::with_migrations(&[("V1__a.sql", "CREATE TABLE a (id int);")]);
    for seed in [1, 2, 3, 5, 8, 13] {
        let password = Random(seed).password();
        for url in urls(&password) {
            for args in [
                vec!["check", "--url", &url],
                vec!["up", "--json", "--wait", "0s", "--url", &url],
                vec!["check", &url],
            ] {
                let output = sandbox.run(&args);
                let text = format!("{output:?}");
                assert_hidden(seed, &password, &url, &text);
            }
        }
    }
}

#[tokio::test]
async fn unknown_url_parameter_lists_the_known_ones() {
    let registry = Registry::linked().unwrap();
    for (url, known) in [
        ("postgres://app@127.0.0.1:1/lk?colour=red", "sslmode"),
        ("mysql://app@127.0.0.1:1/lk?colour=red", "ssl-mode"),
        ("sqlserver://app@127.0.0.1:1/lk?colour=red", "encrypt"),
        ("sqlite:app.db?colour=red", "mode"),
    ] {
        let options = ConnectOptions::new(url).unwrap();
        let error = registry.connect(&options).await.unwrap_err();
        assert!(error.message().contains("colour"), "{error}");
        let text = format!("{error} {:?}", error.hint());
        assert!(text.contains(known), "{text}");
    }
}
