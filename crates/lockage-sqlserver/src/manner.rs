//! Which statements the server refuses inside a transaction, so that they run between two rows of the journal.

use lockage_sql::script::{SQLSERVER, leading_words};

/// How such statements begin.
const ALONE: &[&[&str]] = &[
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
    // What a procedure does is not seen; some of the server's own refuse a transaction.
    &["EXEC", "SP_CONFIGURE"],
    &["EXECUTE", "SP_CONFIGURE"],
    &["EXEC", "SP_FULLTEXT_DATABASE"],
    &["EXECUTE", "SP_FULLTEXT_DATABASE"],
    &["EXEC", "SP_ADDLINKEDSERVER"],
    &["EXECUTE", "SP_ADDLINKEDSERVER"],
];

/// Whether a batch begins with one of them. `ALTER DATABASE SCOPED CONFIGURATION` and its like are among what may share a transaction.
pub(crate) fn refuses_a_transaction(batch: &str) -> bool {
    let words = leading_words(batch, &SQLSERVER, 3);
    let scoped = words
        .get(2)
        .is_some_and(|word| word == "SCOPED" || word == "AUDIT");
    !scoped
        && ALONE.iter().any(|start| {
            start.len() <= words.len()
                && start.iter().zip(&words).all(|(start, word)| start == word)
        })
}

#[cfg(test)]
mod tests {
    use super::refuses_a_transaction;

    #[test]
    fn statements_that_refuse_a_transaction_are_known() {
        for alone in [
            "ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON",
            "create fulltext index on t (a) key index k",
            "exec sp_configure 'x', 1",
            "/* so */ BACKUP DATABASE x TO DISK = 'x'",
        ] {
            assert!(refuses_a_transaction(alone), "{alone}");
        }
        for shared in [
            "CREATE TABLE t (n INT)",
            "ALTER DATABASE SCOPED CONFIGURATION SET MAXDOP = 1",
            "CREATE",
            "CREATE DATABASE AUDIT SPECIFICATION a",
        ] {
            assert!(!refuses_a_transaction(shared), "{shared}");
        }
    }
}
