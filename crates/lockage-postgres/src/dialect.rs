use lockage_sql::script::POSTGRES;
use lockage_sql::{Dialect, double_quoted};

/// How PostgreSQL writes SQL.
pub static DIALECT: Dialect = Dialect {
    engine: "PostgreSQL",
    syntax: &POSTGRES,
    transactional_ddl: true,
    // Whatever a script, the role or the database is set to.
    begin: "BEGIN READ WRITE",
    commit: "COMMIT",
    rollback: "ROLLBACK",
    identifier: double_quoted,
    literal,
    text_type: |length| format!("varchar({length})"),
    integer_type: "bigint",
    time_type: "timestamptz",
    now: "pg_catalog.clock_timestamp()",
    time_text,
    create_table: lockage_sql::create_if_not_exists,
    clock_ms: "CAST(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000 AS bigint)",
    for_update: " FOR UPDATE",
    elapsed_ms: Some(
        "(extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.transaction_timestamp()) * 1000)::bigint",
    ),
};

/// Quotes a text so that it means the same whatever a script sets `standard_conforming_strings` to.
pub(crate) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// A `timestamptz` as RFC 3339 in UTC.
pub(crate) fn time_text(column: &str) -> String {
    format!("pg_catalog.to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
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
