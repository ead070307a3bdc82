use lockage_sql::Dialect;
use lockage_sql::script::MYSQL;

/// MySQL and MariaDB alike. Nothing here depends on what a script may have set: names stand in backticks, which `ANSI_QUOTES` does not
/// touch, and texts have no backslash.
pub static DIALECT: Dialect = Dialect {
    engine: "MySQL",
    syntax: &MYSQL,
    transactional_ddl: false,
    // Whatever a script set for its session.
    begin: "START TRANSACTION READ WRITE",
    commit: "COMMIT",
    rollback: "ROLLBACK",
    identifier: backticked,
    literal,
    text_type,
    integer_type: "BIGINT",
    time_type: "DATETIME(6)",
    now: "UTC_TIMESTAMP(6)",
    time_text: |column| format!("DATE_FORMAT({column}, '%Y-%m-%dT%H:%i:%s.%fZ')"),
    create_table: |table, columns| {
        lockage_sql::create_if_not_exists(table, columns)
            + " ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    },
    clock_ms: "CAST(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000 AS SIGNED)",
    for_update: " FOR UPDATE",
    elapsed_ms: None,
};

/// A name in backticks.
pub(crate) fn backticked(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text that means the same whatever `sql_mode` and the session's character set are: digits where it is not plain.
pub(crate) fn literal(text: &str) -> String {
    if text
        .bytes()
        .all(|byte| (b' '..=b'~').contains(&byte) && byte != b'\\')
    {
        return format!("'{}'", text.replace('\'', "''"));
    }
    text.bytes()
        .fold("_utf8mb4 0x".to_owned(), |mut out, byte| {
            use std::fmt::Write;
            let _ = write!(out, "{byte:02x}");
            out
        })
}

/// Short texts can be keys: 250 characters are 1000 bytes, of 3072 that a key may have.
fn text_type(characters: u16) -> String {
    match characters {
        0..=1000 => format!("VARCHAR({characters}) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"),
        _ => "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_mean_the_same_in_every_mode() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\b"), "_utf8mb4 0x615c62");
        assert_eq!(literal("é"), "_utf8mb4 0xc3a9");
        assert_eq!(literal(""), "''");
        assert_eq!(backticked("a`b"), "`a``b`");
    }
}
