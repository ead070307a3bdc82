use lockage_sql::Dialect;
use lockage_sql::script::SQLSERVER;

/// T-SQL. Names stand in brackets and texts in `N'…'`, whatever a script has set.
pub static DIALECT: Dialect = Dialect {
    engine: "SQL Server",
    syntax: &SQLSERVER,
    transactional_ddl: true,
    begin: "BEGIN TRANSACTION",
    commit: "COMMIT TRANSACTION",
    rollback: "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION",
    identifier: bracketed,
    literal,
    text_type,
    integer_type: "BIGINT",
    time_type: "DATETIME2(6)",
    now: "SYSUTCDATETIME()",
    // Babelfish leaves a blank where SQL Server writes the T.
    time_text: |column| format!("REPLACE(CONVERT(NVARCHAR(30), {column}, 126), N' ', N'T') + N'Z'"),
    create_table: |table, columns| {
        format!(
            "IF OBJECT_ID({}) IS NULL CREATE TABLE {table} ({columns})",
            literal(table)
        )
    },
    clock_ms: "DATEDIFF_BIG(MILLISECOND, '19700101', SYSUTCDATETIME())",
    // Who asks has written the row before, or is told wrong only when nothing depends on it: see the table lock's fence.
    for_update: "",
    elapsed_ms: None,
};

/// A name in brackets.
pub(crate) fn bracketed(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

/// A text. A backslash at the end of a line, which would join it with the next, is kept apart from it.
pub(crate) fn literal(text: &str) -> String {
    let text = text.replace('\'', "''");
    format!(
        "N'{}'",
        text.replace("\\\n", "\\' + N'\n")
            .replace("\\\r", "\\' + N'\r")
    )
}

/// Short texts can be keys: 250 characters are 500 bytes, of 900 that a key may have. Compared by their code units, whatever the database's
/// collation.
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
    fn names_and_texts_are_quoted() {
        assert_eq!(bracketed("a]b"), "[a]]b]");
        assert_eq!(literal("it's"), "N'it''s'");
        assert_eq!(literal("a\\\nb"), "N'a\\' + N'\nb'");
        assert_eq!(literal("schäfer\\"), "N'schäfer\\'");
    }
}
