//! Finds the statements that the server rejects inside a transaction. They run between two journal writes.

use lockage_sql::script::{SQLSERVER, leading_words};

/// The leading words of such statements.
const NO_TRANSACTION: &[&[&str]] = &[
    &["CREATE", "DATABASE"],
    &["ALTER", "DATABASE"],
    &["DROP", "DATABASE"],
    &["BACKUP"],
    &["RESTORE"],
    &["RECONFIGURE"],
    &["KILL"],
    &["SHUTDOWN"],
    &["CREATE", "FULLTEXT"],
    &["ALTER", "FULLTEXT"],
    &["DROP", "FULLTEXT"],
    // The statements inside a procedure are not visible. These procedures of the server reject a transaction.
    &["EXEC", "SP_CONFIGURE"],
    &["EXECUTE", "SP_CONFIGURE"],
    &["EXEC", "SP_FULLTEXT_DATABASE"],
    &["EXECUTE", "SP_FULLTEXT_DATABASE"],
    &["EXEC", "SP_ADDLINKEDSERVER"],
    &["EXECUTE", "SP_ADDLINKEDSERVER"],
];

/// Returns whether a batch begins with a statement that the server rejects inside a transaction.
///
/// `ALTER DATABASE SCOPED …` and `CREATE DATABASE AUDIT …` are allowed in one.
pub(crate) fn forbids_transaction(batch: &str) -> bool {
    let words = leading_words(batch, &SQLSERVER, 3);
    let is_exception = words
        .get(2)
        .is_some_and(|word| word == "SCOPED" || word == "AUDIT");
    !is_exception
        && NO_TRANSACTION.iter().any(|start| {
            start.len() <= words.len()
                && start.iter().zip(&words).all(|(start, word)| start == word)
        })
}

#[cfg(test)]
mod tests {
    use super::forbids_transaction;

    #[test]
    fn statements_forbidden_in_transaction_are_recognized() {
        for forbidden in [
            "ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON",
            "create fulltext index on t (a) key index k",
            "exec sp_configure 'x', 1",
            "/* so */ BACKUP DATABASE x TO DISK = 'x'",
        ] {
            assert!(forbids_transaction(forbidden), "{forbidden}");
        }
        for allowed in [
            "CREATE TABLE t (n INT)",
            "ALTER DATABASE SCOPED CONFIGURATION SET MAXDOP = 1",
            "CREATE",
            "CREATE DATABASE AUDIT SPECIFICATION a",
        ] {
            assert!(!forbids_transaction(allowed), "{allowed}");
        }
    }
}
