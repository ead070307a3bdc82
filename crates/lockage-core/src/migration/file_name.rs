use super::kind::Kind;
use super::version::Version;

/// The parts of a file name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileName {
    pub(super) kind: Kind,
    pub(super) version: Option<Version>,
    pub(super) name: String,
}

/// The naming rule, as the hint of errors about file names.
pub(super) const NAMING_RULE: &str = "names are V<version>__<name>.sql, U<version>__<name>.sql (undo), R__<name>.sql (repeatable), B<version>__<name>.sql (baseline)";

/// Parses a file name like `V1__create_users.sql`.
pub(super) fn parse(file_name: &str) -> Result<FileName, String> {
    let stem = file_name
        .strip_suffix(".sql")
        .ok_or_else(|| format!("`{file_name}` does not end in .sql"))?;
    if stem.contains(char::is_control) {
        return Err(format!(
            "`{}` has a control character in its name",
            file_name.escape_debug()
        ));
    }
    let kind = match stem.as_bytes().first() {
        Some(b'V') => Kind::Versioned,
        Some(b'U') => Kind::Undo,
        Some(b'R') => Kind::Repeatable,
        Some(b'B') => Kind::Baseline,
        _ => return Err(format!("`{file_name}` does not begin with V, U, R or B")),
    };
    let (version, name) = stem[1..]
        .split_once("__")
        .ok_or_else(|| format!("`{file_name}` has no `__` before its name"))?;
    if name.is_empty() {
        return Err(format!("`{file_name}` has no name after `__`"));
    }
    let version = match kind {
        Kind::Repeatable if version.is_empty() => None,
        Kind::Repeatable => return Err(format!("`{file_name}` is repeatable and has a version")),
        _ if version.is_empty() => return Err(format!("`{file_name}` has no version")),
        _ => Some(
            version
                .parse()
                .map_err(|_| {
                    format!(
                        "`{version}` in `{file_name}` is not a version: an integer, dotted integers or a timestamp, each number less \
                         than 2^64"
                    )
                })?,
        ),
    };
    Ok(FileName {
        kind,
        version,
        name: name.replace('_', " "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_file_names_are_parsed() {
        for (file, kind, version, name) in [
            (
                "V1__create_users.sql",
                Kind::Versioned,
                Some("1"),
                "create users",
            ),
            ("V1.2__a__b.sql", Kind::Versioned, Some("1.2"), "a  b"),
            (
                "U20260131093000__x.sql",
                Kind::Undo,
                Some("20260131093000"),
                "x",
            ),
            ("R__views.sql", Kind::Repeatable, None, "views"),
            ("B7__start.sql", Kind::Baseline, Some("7"), "start"),
        ] {
            let parsed = parse(file).unwrap();
            assert_eq!((parsed.kind, parsed.name.as_str()), (kind, name));
            assert_eq!(parsed.version.map(|v| v.to_string()).as_deref(), version);
        }
    }

    #[test]
    fn invalid_file_names_are_errors() {
        for file in [
            "users.sql",
            "V__a.sql",
            "V1_a.sql",
            "V1__.sql",
            "Va__b.sql",
            "R1__a.sql",
            "v1__a.sql",
            "V1__a.SQL",
            "V1_1__a.sql",
            "V18446744073709551616__a.sql",
            "V1__a\nb.sql",
            ".sql",
        ] {
            assert!(parse(file).is_err(), "{file}");
        }
    }
}
