//! Reads PRAGMA statements.

use lockage_sql::script::{SQLITE, tokens};

/// A PRAGMA statement.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pragma {
    /// The name, in lower case, without schema and quotes.
    pub(crate) name: String,
    /// The value that it sets, in lower case and without quotes; `None` for a query.
    pub(crate) value: Option<String>,
}

impl Pragma {
    /// Parses `PRAGMA [schema.]name [= value | (value)]`; `None` for another statement.
    pub(crate) fn parse(statement: &str) -> Option<Self> {
        let mut tokens = tokens(statement, &SQLITE);
        if !tokens.next()?.eq_ignore_ascii_case("PRAGMA") {
            return None;
        }
        let mut name = tokens.next()?;
        let mut next = tokens.next();
        if next == Some(".") {
            name = tokens.next()?;
            next = tokens.next();
        }
        let value = match next {
            Some("=" | "(") => Some(tokens.filter(|token| !matches!(*token, ")" | ";"))),
            _ => None,
        };
        Some(Self {
            name: unquoted(name).to_ascii_lowercase(),
            value: value.map(|parts| {
                let parts: String = parts.collect();
                unquoted(&parts).to_ascii_lowercase()
            }),
        })
    }

    /// Returns whether it switches a setting off, by SQLite's rule: anything but `on`, `yes`, `true` and a number other than zero.
    pub(crate) fn switches_off(&self) -> bool {
        self.value.as_deref().is_some_and(|value| {
            !matches!(value, "on" | "yes" | "true")
                && !value.parse().is_ok_and(|number: i64| number != 0)
        })
    }
}

/// Removes the quotes of a name or a literal.
pub(crate) fn unquoted(token: &str) -> String {
    let mut inner = token.chars();
    let (Some(open), Some(close)) = (inner.next(), inner.next_back()) else {
        return token.to_owned();
    };
    match (open, close) {
        ('[', ']') => inner.as_str().to_owned(),
        ('"' | '\'' | '`', close) if close == open => {
            let doubled = String::from_iter([open, open]);
            inner.as_str().replace(&doubled, &open.to_string())
        }
        _ => token.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_pragma_is_parsed() {
        for (text, name, off) in [
            ("PRAGMA foreign_keys = OFF", "foreign_keys", true),
            ("pragma main.foreign_keys=0;", "foreign_keys", true),
            ("PRAGMA \"Foreign_Keys\"(no)", "foreign_keys", true),
            (
                "/* c */ PRAGMA [main] . 'foreign_keys' = 'false'",
                "foreign_keys",
                true,
            ),
            ("PRAGMA `foreign_keys` = -1", "foreign_keys", false),
            ("PRAGMA foreign_keys = on", "foreign_keys", false),
            ("PRAGMA foreign_keys", "foreign_keys", false),
            ("PRAGMA foreign_key_check(t)", "foreign_key_check", true),
        ] {
            let pragma = Pragma::parse(text).unwrap();
            assert_eq!(pragma.name, name, "{text}");
            assert_eq!(pragma.switches_off(), off, "{text}");
        }
        assert_eq!(Pragma::parse("SELECT 1"), None);
        assert_eq!(unquoted("\"a\"\"b\""), "a\"b");
    }
}
