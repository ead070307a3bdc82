use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use crate::{Error, ErrorKind};

/// The version of a migration: an integer, dotted integers or a timestamp.
///
/// Versions compare number by number: `9 < 10` and `1.9 < 1.10`, and `001`, `1` and `1.0` are equal. `Display` prints the
/// original text.
#[derive(Debug, Clone)]
pub struct Version {
    text: String,
    parts: Vec<u64>,
}

impl Version {
    /// Returns the canonical spelling, which is the same for all equal versions: `1` for `001` and `1.0`.
    pub fn canonical(&self) -> String {
        let parts: Vec<String> = self.parts.iter().map(u64::to_string).collect();
        parts.join(".")
    }
}

impl FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parts: Result<Vec<u64>, _> = text.split('.').map(str::parse).collect();
        match parts {
            Ok(mut parts) if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
                while parts.len() > 1 && parts.last() == Some(&0) {
                    parts.pop();
                }
                Ok(Self {
                    text: text.to_owned(),
                    parts,
                })
            }
            _ => Err(Error::new(
                ErrorKind::InvalidConfig,
                format!("`{text}` is not a version"),
            )
            .with_hint(
                "a version is an integer, dotted integers or a timestamp: 1, 2.10, 20260131093000",
            )),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

impl Eq for Version {}

impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts.hash(state);
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts.cmp(&other.parts)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(version("9") < version("10"));
        assert!(version("1.9") < version("1.10"));
        assert!(version("1") < version("1.0.1"));
        assert!(version("2") < version("20260131093000"));
        assert_eq!(version("001"), version("1"));
        assert_eq!(version("1.0"), version("1"));
        assert_eq!(version("0"), version("0.0"));
        assert_eq!(version("001").to_string(), "001");
        assert_eq!(version("001").canonical(), "1");
        assert_eq!(version("01.2.0").canonical(), "1.2");
        assert_eq!(version("0.0").canonical(), "0");
    }

    #[test]
    fn invalid_versions_are_errors() {
        for text in [
            "",
            ".",
            "1.",
            ".1",
            "1..2",
            "+1",
            "-1",
            "1a",
            "١",
            "99999999999999999999999",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
