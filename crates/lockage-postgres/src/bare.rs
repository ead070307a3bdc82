//! Statements that run outside any transaction.

use lockage_core::{Error, ErrorKind};
use lockage_sql::script::leading_words;

use crate::dialect::DIALECT;

/// How many words of a statement are looked at.
const WORDS: usize = 64;

/// The words of a statement, unquoted ones in upper case.
pub(crate) fn words(statement: &str) -> Vec<String> {
    leading_words(statement, DIALECT.syntax, WORDS)
}

/// Whether the server refuses the statement inside a transaction, whatever else it says.
pub(crate) fn is_refused_in_transaction(words: &[String]) -> bool {
    let word = |index: usize| words.get(index).map_or("", String::as_str);
    match word(0) {
        "VACUUM" => true,
        "CREATE" => matches!(word(1), "DATABASE" | "TABLESPACE") || is_concurrent(words),
        "DROP" => {
            matches!(word(1), "DATABASE" | "TABLESPACE")
                || word(1) == "INDEX" && is_concurrent(words)
        }
        "ALTER" => {
            word(1) == "SYSTEM" || word(1) == "TABLE" && is_detach(words) && is_concurrent(words)
        }
        "REINDEX" => {
            is_concurrent(words)
                || words
                    .iter()
                    .take(8)
                    .any(|word| matches!(&**word, "DATABASE" | "SYSTEM" | "SCHEMA"))
        }
        "DISCARD" => word(1) == "ALL",
        "COMMIT" | "ROLLBACK" => word(1) == "PREPARED",
        _ => false,
    }
}

/// Says why no run could go on behind the statement.
pub(crate) fn breaks_the_run(words: &[String]) -> Option<Error> {
    let (what, hint) = match words {
        [first, second, ..] if first == "DISCARD" && second == "ALL" => (
            "DISCARD ALL in a migration: it gives up the lock under which the migration runs",
            "say what is to be discarded (DISCARD PLANS, DISCARD SEQUENCES, DISCARD TEMP), or RESET ALL",
        ),
        [first, second, ..] if first == "PREPARE" && second == "TRANSACTION" => (
            "PREPARE TRANSACTION in a migration: what it detaches would take the history along",
            "end the transaction with COMMIT",
        ),
        _ => return None,
    };
    Some(Error::new(ErrorKind::InvalidMigration, what).with_hint(hint))
}

/// Whether the statement is to run alone: because the server refuses it in a transaction, or may, or because it may commit by
/// itself.
pub(crate) fn stands_alone(statement: &str) -> bool {
    let words = words(statement);
    let word = |index: usize| words.get(index).map_or("", String::as_str);
    is_refused_in_transaction(&words)
        || match word(0) {
            // Of a partitioned table, and of all tables.
            "REINDEX" | "CLUSTER" | "REPACK" => true,
            "CALL" => true,
            "DO" => may_commit(statement),
            "CREATE" | "ALTER" | "DROP" => {
                word(1) == "SUBSCRIPTION" || word(0) == "ALTER" && word(1) == "DATABASE"
            }
            _ => false,
        }
}

/// Whether a block may end the transaction that it runs in.
fn may_commit(block: &str) -> bool {
    let block = block.to_ascii_uppercase();
    ["COMMIT", "ROLLBACK", "CALL"]
        .iter()
        .any(|word| block.contains(word))
}

/// Whether a statement says `CONCURRENTLY` where that is no name.
pub(crate) fn is_concurrent(words: &[String]) -> bool {
    match words.first().map(String::as_str) {
        // CREATE [UNIQUE] INDEX CONCURRENTLY, DROP INDEX CONCURRENTLY
        Some("CREATE" | "DROP") => {
            let index = words.iter().take(3).position(|word| word == "INDEX");
            index.is_some_and(|index| {
                words
                    .get(index + 1)
                    .is_some_and(|word| word == "CONCURRENTLY")
            })
        }
        // REINDEX [(…)] INDEX CONCURRENTLY …; ALTER TABLE … DETACH PARTITION … CONCURRENTLY
        Some("REINDEX" | "ALTER") => words.iter().any(|word| word == "CONCURRENTLY"),
        _ => false,
    }
}

/// Whether an `ALTER TABLE` takes a partition away.
pub(crate) fn is_detach(words: &[String]) -> bool {
    words
        .windows(2)
        .any(|pair| pair[0] == "DETACH" && pair[1] == "PARTITION")
}

/// Whether the statement sets something for the session and does nothing else.
pub(crate) fn is_for_session(words: &[String]) -> bool {
    let word = |index: usize| words.get(index).map_or("", String::as_str);
    match word(0) {
        // What is set for a transaction ends with it.
        "SET" => !matches!(word(1), "LOCAL" | "TRANSACTION" | "CONSTRAINTS"),
        "RESET" => true,
        // As pg_dump writes it: SELECT pg_catalog.set_config('search_path', '', false)
        "SELECT" => {
            let call = if word(2) == "." { 3 } else { 1 };
            word(call) == "SET_CONFIG"
                && words.last().is_some_and(|last| last == ")")
                && words.iter().filter(|word| *word == "(").count() == 1
        }
        _ => false,
    }
}

/// Whether it sets back everything, what this session needs included.
pub(crate) fn resets_all(words: &[String]) -> bool {
    matches!(words, [first, second, ..] if first == "RESET" && second == "ALL")
}

/// Whether the statement sends rows to the client, which there is no use for.
pub(crate) fn copies_to_client(statement: &str) -> bool {
    if !statement
        .get(..4)
        .is_some_and(|word| word.eq_ignore_ascii_case("copy"))
    {
        return false;
    }
    let words = leading_words(statement, DIALECT.syntax, usize::MAX);
    words
        .windows(2)
        .any(|pair| pair[0] == "TO" && matches!(&*pair[1], "STDOUT" | "STDIN"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_no_transaction_may_hold() {
        for statement in [
            "CREATE INDEX CONCURRENTLY i ON t (a)",
            "create unique /* c */ index concurrently on t (a)",
            "DROP INDEX CONCURRENTLY IF EXISTS i",
            "REINDEX (VERBOSE) TABLE CONCURRENTLY t",
            "REINDEX SCHEMA s",
            "VACUUM (ANALYZE) t",
            "CREATE DATABASE d",
            "DROP TABLESPACE t",
            "ALTER SYSTEM SET work_mem = '1MB'",
            "ALTER TABLE p DETACH PARTITION c CONCURRENTLY",
            "DISCARD ALL",
            "COMMIT PREPARED 'x'",
        ] {
            assert!(
                is_refused_in_transaction(&words(statement)) && stands_alone(statement),
                "{statement}"
            );
        }
    }

    #[test]
    fn statements_that_run_alone_to_be_safe() {
        for statement in [
            "REINDEX TABLE t",
            "CLUSTER",
            "CALL p()",
            "DO $$ BEGIN COMMIT; END $$",
            "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p",
            "ALTER DATABASE d SET TABLESPACE t",
        ] {
            assert!(
                stands_alone(statement) && !is_refused_in_transaction(&words(statement)),
                "{statement}"
            );
        }
    }

    #[test]
    fn statements_that_share_a_transaction() {
        for statement in [
            "CREATE INDEX concurrently_built ON t (a)",
            r#"CREATE INDEX "CONCURRENTLY" ON t (a)"#,
            "CREATE TABLE concurrently (index int)",
            "ALTER TABLE t ADD COLUMN a int",
            "ALTER TABLE p DETACH PARTITION c",
            "ALTER TYPE e ADD VALUE 'x'",
            "DO $$ BEGIN PERFORM 1; END $$",
            "DROP INDEX i",
            "ANALYZE t",
            "INSERT INTO vacuum VALUES ('VACUUM')",
        ] {
            assert!(!stands_alone(statement), "{statement}");
        }
    }

    #[test]
    fn statements_that_only_set() {
        for statement in [
            "SET search_path = app",
            "SET SESSION AUTHORIZATION a",
            "reset role",
            "SELECT pg_catalog.set_config('search_path', '', false)",
            "SELECT set_config('a.b', 'c', false)",
        ] {
            assert!(is_for_session(&words(statement)), "{statement}");
        }
        for statement in [
            "SET LOCAL role a",
            "SET TRANSACTION READ ONLY",
            "SET CONSTRAINTS ALL DEFERRED",
            "SELECT set_config('a', f(), false)",
            "SELECT 1",
            "UPDATE t SET a = 1",
        ] {
            assert!(!is_for_session(&words(statement)), "{statement}");
        }
    }

    #[test]
    fn rows_for_a_client() {
        assert!(copies_to_client("COPY t (a, b) TO STDOUT"));
        assert!(copies_to_client("copy (select 1) to stdout with csv"));
        assert!(!copies_to_client("COPY t TO '/tmp/stdout'"));
        assert!(!copies_to_client("COPY t FROM '/tmp/x'"));
        assert!(!copies_to_client("SELECT 'COPY t TO STDOUT'"));
    }
}
