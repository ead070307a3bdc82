//! Classifies statements: which cannot run in a transaction, which only change session settings, which are rejected.

use lockage_core::{Error, ErrorKind};
use lockage_sql::script::leading_words;

use crate::dialect::DIALECT;

/// The number of words of a statement that are read.
const MAX_KEYWORDS: usize = 64;

/// Returns the first words of a statement, unquoted ones in upper case.
pub(crate) fn leading_keywords(statement: &str) -> Vec<String> {
    leading_words(statement, DIALECT.syntax, MAX_KEYWORDS)
}

/// Returns whether the server rejects the statement inside a transaction in all of its forms.
pub(crate) fn forbids_transaction(words: &[String]) -> bool {
    let word = |index: usize| words.get(index).map_or("", String::as_str);
    match word(0) {
        "VACUUM" => true,
        "CREATE" => matches!(word(1), "DATABASE" | "TABLESPACE") || is_concurrent(words),
        "DROP" => {
            matches!(word(1), "DATABASE" | "TABLESPACE")
                || word(1) == "INDEX" && is_concurrent(words)
        }
        "ALTER" => word(1) == "SYSTEM" || word(1) == "TABLE" && is_detach_concurrently(words),
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

/// Returns the error of a statement after which no run could continue.
pub(crate) fn rejection(words: &[String]) -> Option<Error> {
    let (message, hint) = match words {
        [first, second, ..] if first == "DISCARD" && second == "ALL" => (
            "DISCARD ALL is not supported in migrations: it releases the lock",
            "discard specific objects (DISCARD PLANS, DISCARD SEQUENCES, DISCARD TEMP), or use RESET ALL",
        ),
        [first, second, ..] if first == "PREPARE" && second == "TRANSACTION" => (
            "PREPARE TRANSACTION is not supported in migrations: it would detach the history row with the transaction",
            "end the transaction with COMMIT",
        ),
        _ => return None,
    };
    Some(Error::new(ErrorKind::InvalidMigration, message).with_hint(hint))
}

/// Returns the error of a statement that cannot run in the transaction of its script.
pub(crate) fn needs_autocommit_error(statement: &str) -> Error {
    let words = leading_keywords(statement);
    let concurrently = words.iter().position(|word| word == "CONCURRENTLY");
    let phrase = match concurrently.filter(|_| is_concurrent(&words)) {
        Some(_) if is_detach_concurrently(&words) => {
            "ALTER TABLE … DETACH PARTITION … CONCURRENTLY".to_owned()
        }
        Some(_) if is_concurrent_reindex(&words) => "REINDEX … CONCURRENTLY".to_owned(),
        Some(end) => format!("{} …", words[..=end].join(" ")),
        None => {
            let words: Vec<_> = statement.split_whitespace().take(3).collect();
            format!("{} …", words.join(" "))
        }
    };
    Error::new(
        ErrorKind::InvalidMigration,
        format!("{phrase} cannot run in a transaction"),
    )
    .with_hint("add `-- lockage: no-transaction` at the top of the file; each statement then commits by itself")
}

/// Returns whether the statement changes the isolation level of its transaction, which must not have read anything yet.
pub(crate) fn changes_isolation(words: &[String]) -> bool {
    let word = |index: usize| words.get(index).map_or("", String::as_str);
    let sets_level = (word(0), word(1)) == ("SET", "TRANSACTION");
    sets_level
        && words.windows(2).any(|pair| {
            pair[0] == "LEVEL" && matches!(&*pair[1], "SERIALIZABLE" | "REPEATABLE")
                || pair[0] == "TRANSACTION" && pair[1] == "SNAPSHOT"
        })
}

/// Returns the error of a statement that would follow the queries of Lockage in its transaction.
pub(crate) fn isolation_error() -> Error {
    Error::new(
        ErrorKind::InvalidMigration,
        "a migration that Lockage runs in a transaction cannot change the isolation level: its transaction begins with checks of the lock",
    )
    .with_hint(
        "put `-- lockage: no-transaction` at the top of the file, and the statements between BEGIN ISOLATION LEVEL SERIALIZABLE and \
         COMMIT",
    )
}

/// Returns whether the statement must run outside a transaction: the server rejects it in one, or may reject it, or the statement
/// may commit by itself.
pub(crate) fn must_autocommit(statement: &str) -> bool {
    let words = leading_keywords(statement);
    let word = |index: usize| words.get(index).map_or("", String::as_str);
    forbids_transaction(&words)
        || match word(0) {
            // Without a table, or for a partitioned table, the server rejects them in a transaction.
            "REINDEX" | "CLUSTER" | "REPACK" => true,
            "CALL" => true,
            "DO" => may_commit(statement),
            "CREATE" | "ALTER" | "DROP" => {
                word(1) == "SUBSCRIPTION" || word(0) == "ALTER" && word(1) == "DATABASE"
            }
            _ => false,
        }
}

/// Returns whether a block may end the transaction that it runs in.
fn may_commit(block: &str) -> bool {
    let block = block.to_ascii_uppercase();
    ["COMMIT", "ROLLBACK", "CALL"]
        .iter()
        .any(|word| block.contains(word))
}

/// Returns whether a statement has the keyword `CONCURRENTLY`, and not a name of that spelling.
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

/// Returns whether the statement is `REINDEX … CONCURRENTLY`.
pub(crate) fn is_concurrent_reindex(words: &[String]) -> bool {
    words.first().is_some_and(|word| word == "REINDEX") && is_concurrent(words)
}

/// Returns whether an `ALTER TABLE` detaches a partition concurrently.
pub(crate) fn is_detach_concurrently(words: &[String]) -> bool {
    is_concurrent(words)
        && words
            .windows(2)
            .any(|pair| pair[0] == "DETACH" && pair[1] == "PARTITION")
}

/// Returns whether the statement changes settings of the session and does nothing else.
pub(crate) fn is_session_setting(words: &[String]) -> bool {
    let word = |index: usize| words.get(index).map_or("", String::as_str);
    match word(0) {
        // A setting of a transaction ends with the transaction.
        "SET" => !matches!(word(1), "LOCAL" | "TRANSACTION" | "CONSTRAINTS"),
        "RESET" => true,
        // A library that another session has not loaded.
        "LOAD" => true,
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

/// The settings that change how the server reads the text of a message.
const PARSER_SETTINGS: [&str; 3] = [
    "standard_conforming_strings",
    "backslash_quote",
    "client_encoding",
];

/// Returns whether the statements after this one may be read by other rules: it sets or restores one of the settings that the
/// server uses when it reads a message. It also returns true for some statements that do not.
pub(crate) fn changes_parsing(statement: &str) -> bool {
    let words = leading_keywords(statement);
    let word = |index: usize| words.get(index).map_or("", String::as_str);
    let text = statement.to_ascii_lowercase();
    match (word(0), word(1)) {
        ("SET", "NAMES") | ("RESET", "ALL") => true,
        ("SET", "LOCAL" | "SESSION") if word(2) == "NAMES" => true,
        // ROLLBACK TO SAVEPOINT restores settings.
        ("ROLLBACK", _) => true,
        _ => {
            PARSER_SETTINGS.iter().any(|setting| text.contains(setting))
                || text.contains("set_config") && !has_literal_names(&words)
        }
    }
}

/// Returns whether the words contain a call of `set_config`, and each call names its setting in a literal.
fn has_literal_names(words: &[String]) -> bool {
    let mut calls = words
        .windows(4)
        .filter(|words| words[0] == "SET_CONFIG")
        .peekable();
    calls.peek().is_some() && calls.all(|words| words[2].starts_with('\'') && words[3] == ",")
}

/// Returns whether the statement resets all settings, including those that Lockage needs.
pub(crate) fn resets_all(words: &[String]) -> bool {
    matches!(words, [first, second, ..] if first == "RESET" && second == "ALL")
}

/// Returns whether the statement sends rows to the client.
pub(crate) fn is_copy_to_stdout(statement: &str) -> bool {
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

/// Returns the error of a statement that sends rows to the client.
pub(crate) fn copy_to_stdout_error() -> Error {
    Error::new(
        ErrorKind::InvalidMigration,
        "COPY … TO STDOUT is not supported in migrations",
    )
    .with_hint("remove the statement")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_rejected_in_a_transaction_must_autocommit() {
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
                forbids_transaction(&leading_keywords(statement)) && must_autocommit(statement),
                "{statement}"
            );
        }
    }

    #[test]
    fn statements_that_may_commit_must_autocommit() {
        for statement in [
            "REINDEX TABLE t",
            "CLUSTER",
            "CALL p()",
            "DO $$ BEGIN COMMIT; END $$",
            "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p",
            "ALTER DATABASE d SET TABLESPACE t",
        ] {
            assert!(
                must_autocommit(statement) && !forbids_transaction(&leading_keywords(statement)),
                "{statement}"
            );
        }
    }

    #[test]
    fn ordinary_statements_share_a_transaction() {
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
            assert!(!must_autocommit(statement), "{statement}");
        }
    }

    #[test]
    fn session_settings_are_recognized() {
        for statement in [
            "SET search_path = app",
            "SET SESSION AUTHORIZATION a",
            "reset role",
            "LOAD 'age'",
            "SELECT pg_catalog.set_config('search_path', '', false)",
            "SELECT set_config('a.b', 'c', false)",
        ] {
            assert!(
                is_session_setting(&leading_keywords(statement)),
                "{statement}"
            );
        }
        for statement in [
            "SET LOCAL role a",
            "SET TRANSACTION READ ONLY",
            "SET CONSTRAINTS ALL DEFERRED",
            "SELECT set_config('a', f(), false)",
            "SELECT 1",
            "UPDATE t SET a = 1",
        ] {
            assert!(
                !is_session_setting(&leading_keywords(statement)),
                "{statement}"
            );
        }
    }

    #[test]
    fn statements_that_change_parsing_are_recognized() {
        for statement in [
            "SET standard_conforming_strings = off",
            "set local Client_Encoding to latin1",
            "SET SESSION NAMES 'latin1'",
            "SET NAMES 'latin1'",
            "RESET ALL",
            "RESET backslash_quote",
            "SELECT set_config('backslash_quote', 'on', false)",
            "SELECT set_config('client' || '_encoding', 'latin1', false)",
            "DO $$ BEGIN SET standard_conforming_strings = off; END $$",
            "ROLLBACK TO a",
        ] {
            assert!(changes_parsing(statement), "{statement}");
        }
        for statement in [
            "SET search_path = app",
            "SELECT pg_catalog.set_config('search_path', '', false)",
            "RESET work_mem",
            "SAVEPOINT a",
            "INSERT INTO t VALUES ('a')",
        ] {
            assert!(!changes_parsing(statement), "{statement}");
        }
    }

    #[test]
    fn copy_to_stdout_is_recognized() {
        assert!(is_copy_to_stdout("COPY t (a, b) TO STDOUT"));
        assert!(is_copy_to_stdout("copy (select 1) to stdout with csv"));
        assert!(!is_copy_to_stdout("COPY t TO '/tmp/stdout'"));
        assert!(!is_copy_to_stdout("COPY t FROM '/tmp/x'"));
        assert!(!is_copy_to_stdout("SELECT 'COPY t TO STDOUT'"));
    }
}
