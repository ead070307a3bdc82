//! How PostgreSQL writes SQL.

use lockage_sql::script::POSTGRES;
use lockage_sql::{Clock, Dialect, double_quoted};

/// How PostgreSQL writes SQL.
pub static DIALECT: Dialect = Dialect::new("PostgreSQL", &POSTGRES, CLOCK)
    .with_transactional_ddl()
    // READ WRITE overrides `default_transaction_read_only` of a script, the role or the database.
    .with_transaction("BEGIN READ WRITE", "COMMIT", "ROLLBACK")
    .with_quotes(double_quoted, literal)
    .with_types(|length| format!("varchar({length})"), "bigint")
    .with_elapsed_ms(
        "(extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.transaction_timestamp()) * 1000)::bigint",
    );

const CLOCK: Clock = Clock {
    time_type: "timestamptz",
    now: "pg_catalog.clock_timestamp()",
    to_text: time_text,
    now_ms: "CAST(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000 AS bigint)",
};

/// Quotes a text so that it has the same meaning for both values of `standard_conforming_strings`.
pub(crate) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// Returns SQL that converts a `timestamptz` to RFC 3339 in UTC.
pub(crate) fn time_text(column: &str) -> String {
    format!("pg_catalog.to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
}

/// Returns whether a boolean in the text format is true.
pub(crate) fn to_bool(value: Option<&str>) -> bool {
    value == Some("t")
}

/// Returns a name as the server stores it: without quotes, or in lower case.
pub(crate) fn unquoted(word: &str) -> String {
    match word
        .strip_prefix('"')
        .and_then(|word| word.strip_suffix('"'))
    {
        Some(name) => name.replace("\"\"", "\""),
        None => word.to_lowercase(),
    }
}

/// Returns the name at the start of `words`, quoted, with its schema if it has one.
pub(crate) fn qualified_name(words: impl IntoIterator<Item = impl AsRef<str>>) -> Option<String> {
    let quoted = |word: &str| double_quoted(&unquoted(word));
    let mut words = words.into_iter();
    let first = quoted(words.next()?.as_ref());
    Some(match (words.next(), words.next()) {
        (Some(dot), Some(second)) if dot.as_ref() == "." => {
            format!("{first}.{}", quoted(second.as_ref()))
        }
        _ => first,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_hold_quotes_and_backslashes() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\'b"), r"E'a\\''b'");
    }
}
