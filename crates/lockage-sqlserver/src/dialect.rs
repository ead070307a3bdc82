//! How Lockage writes T-SQL.

use lockage_sql::script::SQLSERVER;
use lockage_sql::{Clock, Dialect};

/// T-SQL with names in brackets and texts in `N'…'`. `QUOTED_IDENTIFIER`, which a script can change, does not affect these.
pub static DIALECT: Dialect = Dialect::new("SQL Server", &SQLSERVER, CLOCK)
    .with_transactional_ddl()
    .with_transaction(
        "BEGIN TRANSACTION",
        "COMMIT TRANSACTION",
        "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION",
    )
    .with_quotes(bracketed, literal)
    .with_types(text_type, "BIGINT")
    .with_create_table(|table, columns| {
        format!(
            "IF OBJECT_ID({}) IS NULL CREATE TABLE {table} ({columns})",
            literal(table)
        )
    })
    // No lock hint: readers either wrote the row already or are checked again by the fencing check.
    .with_for_update("");

const CLOCK: Clock = Clock {
    time_type: "DATETIME2(6)",
    now: "SYSUTCDATETIME()",
    // Style 126 separates date and time with a T. Babelfish writes a blank.
    to_text: |column| format!("REPLACE(CONVERT(NVARCHAR(30), {column}, 126), N' ', N'T') + N'Z'"),
    now_ms: "DATEDIFF_BIG(MILLISECOND, '19700101', SYSUTCDATETIME())",
};

/// Quotes a name with brackets.
pub(crate) fn bracketed(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

/// Quotes a text. T-SQL joins a line that ends with a backslash to the next line, so the literal is split after the backslash.
pub(crate) fn literal(text: &str) -> String {
    let text = text.replace('\'', "''");
    format!(
        "N'{}'",
        text.replace("\\\n", "\\' + N'\n")
            .replace("\\\r", "\\' + N'\r")
    )
}

/// Returns the type of a text, compared by code units independently of the database's collation.
///
/// Short texts can be keys: 250 characters take 500 bytes, and a key may have 900.
fn text_type(characters: u16) -> String {
    match characters {
        0..=4000 => format!("NVARCHAR({characters}) COLLATE Latin1_General_BIN2"),
        _ => "NVARCHAR(MAX) COLLATE Latin1_General_BIN2".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_names_and_texts_escape_delimiters() {
        assert_eq!(bracketed("a]b"), "[a]]b]");
        assert_eq!(literal("it's"), "N'it''s'");
        assert_eq!(literal("a\\\nb"), "N'a\\' + N'\nb'");
        assert_eq!(literal("schäfer\\"), "N'schäfer\\'");
    }
}
