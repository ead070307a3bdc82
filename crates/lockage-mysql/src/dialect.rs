//! How MySQL and MariaDB write SQL.

use lockage_sql::script::MYSQL;
use lockage_sql::{Clock, Dialect};

use crate::hex::hex;

/// The dialect of MySQL and MariaDB.
///
/// It does not depend on settings that a script may change: names are in backticks, which `ANSI_QUOTES` does not affect, and texts
/// contain no backslash.
pub static DIALECT: Dialect = Dialect::new("MySQL", &MYSQL, CLOCK)
    // READ WRITE overrides `transaction_read_only` of a script.
    .with_transaction("START TRANSACTION READ WRITE", "COMMIT", "ROLLBACK")
    .with_quotes(backticked, literal)
    .with_types(text_type, "BIGINT")
    .with_create_table(|table, columns| {
        lockage_sql::create_if_not_exists(table, columns)
            + " ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    });

const CLOCK: Clock = Clock {
    time_type: "DATETIME(6)",
    now: "UTC_TIMESTAMP(6)",
    to_text: |column| format!("DATE_FORMAT({column}, '%Y-%m-%dT%H:%i:%s.%fZ')"),
    now_ms: "CAST(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) DIV 1000 AS SIGNED)",
};

/// Quotes a name.
pub(crate) fn backticked(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Quotes a text so that it means the same in every `sql_mode` and character set of the session: in hexadecimal if it contains
/// anything but printable ASCII characters, or a backslash.
pub(crate) fn literal(text: &str) -> String {
    if text
        .bytes()
        .all(|byte| (b' '..=b'~').contains(&byte) && byte != b'\\')
    {
        return format!("'{}'", text.replace('\'', "''"));
    }
    hex("_utf8mb4 0x", text.as_bytes())
}

/// Returns the type of a text. A short text can be part of a key: 250 characters are 1000 bytes, and a key has at most 3072.
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
    fn literal_is_independent_of_sql_mode() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\b"), "_utf8mb4 0x615c62");
        assert_eq!(literal("é"), "_utf8mb4 0xc3a9");
        assert_eq!(literal(""), "''");
        assert_eq!(backticked("a`b"), "`a``b`");
    }
}
