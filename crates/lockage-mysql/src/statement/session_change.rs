//! Determines what a statement leaves in its session.

use lockage_sql::SessionEffect;

use super::cursor::{Cursor, unquoted};
use super::session::user_variables;

/// The settings that are set before each migration, or after each statement that changes them.
const RESTORED_SETTINGS: &[&str] = &[
    "AUTOCOMMIT",
    "FOREIGN_KEY_CHECKS",
    "INNODB_LOCK_WAIT_TIMEOUT",
    "LOCK_WAIT_TIMEOUT",
    "NET_READ_TIMEOUT",
    "NET_WRITE_TIMEOUT",
    "SQL_MODE",
    "SQL_SAFE_UPDATES",
    "TIME_ZONE",
    "UNIQUE_CHECKS",
    "WAIT_TIMEOUT",
];

/// First words of statements that leave nothing in the session, unless they call a function that does.
const WITHOUT_STATE: &[&str] = &[
    "ALTER",
    "ANALYZE",
    "CHECK",
    "COMMIT",
    "DELETE",
    "DESC",
    "DESCRIBE",
    "DO",
    "DROP",
    "EXPLAIN",
    "FLUSH",
    "GRANT",
    "INSERT",
    "OPTIMIZE",
    "RELEASE",
    "RENAME",
    "REPAIR",
    "REPLACE",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SELECT",
    "SHOW",
    "START",
    "TRUNCATE",
    "UPDATE",
    "USE",
    "VALUES",
    "WITH",
];

/// Functions and expressions that leave something in the session: a lock, the last value of a sequence.
const WITH_STATE: &[&str] = &["GET_LOCK", "NEXTVAL", "NEXT", "SETVAL"];

/// Returns whether a statement may leave something in its session that the settings before a migration do not restore. Triggers and
/// routines that it runs are not considered.
pub(crate) fn changes_session(text: &str) -> bool {
    if !user_variables(text).is_empty() {
        return true;
    }
    let mut at = Cursor::new(text);
    if at.eat(&["SET"]) {
        return !sets_only_restored(&at);
    }
    if at.eat(&["CREATE"]) {
        at.eat(&["OR", "REPLACE"]);
        return at.peek_keyword(&["TEMPORARY"]);
    }
    if at.eat(&["BEGIN"]) {
        return at.peek_keyword(&["NOT"]);
    }
    at.eat(&["("]);
    let is_known = WITHOUT_STATE.iter().any(|word| at.peek_keyword(&[word]));
    !is_known || calls_any(&at, WITH_STATE)
}

/// Returns whether a `SET` changes only settings that are restored before the next migration. The cursor is after the keyword.
fn sets_only_restored(at: &Cursor<'_>) -> bool {
    at.parts().into_iter().all(|mut part| {
        if part.peek_keyword(&["NAMES"]) || part.peek_keyword(&["GLOBAL"]) {
            return true;
        }
        part.eat_any(&["SESSION", "LOCAL"]);
        // `@@sql_mode` and `@@session.sql_mode` have the tokens `@`, `@sql_mode` and `@`, `@session`, `.`, `sql_mode`.
        part.eat(&["@"]);
        let Some(name) = part.next() else { return true };
        let mut name = name.trim_start_matches('@').to_ascii_uppercase();
        if part.eat(&["."])
            && let Some(setting) = part.next()
        {
            name = setting.to_ascii_uppercase();
        }
        let name = name.trim_matches('`');
        RESTORED_SETTINGS.contains(&name)
    })
}

/// Returns whether a statement may read `LAST_INSERT_ID()`, itself or in a procedure that it calls.
pub(crate) fn mentions_last_insert_id(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    upper.contains("LAST_INSERT_ID")
        || upper.contains("@@IDENTITY")
        || Cursor::new(text).peek_keyword(&["CALL"])
}

/// Returns what a statement leaves in its session that cannot be restored in another.
pub(crate) fn session_effects(text: &str) -> Vec<SessionEffect> {
    let mut effects = Vec::new();
    let at = Cursor::new(text);
    if let Some(name) = temporary_table(at.clone()) {
        let description = format!("the temporary table `{name}`");
        effects.push(SessionEffect::used_by(description, [name]));
    }
    if at.peek_keyword(&["HANDLER"]) && at.contains("OPEN") {
        effects.push(SessionEffect::used_by("an open HANDLER", ["HANDLER"]));
    }
    if calls_any(&at, &["GET_LOCK"]) && !calls_any(&at, &["RELEASE_LOCK", "RELEASE_ALL_LOCKS"]) {
        effects.push(SessionEffect::used_by_all("a lock of GET_LOCK"));
    }
    if calls_any(&at, &["NEXTVAL"]) || at.contains_anywhere(&["NEXT", "VALUE", "FOR"]) {
        let description = "the last value of a sequence";
        effects.push(SessionEffect::used_by(description, ["LASTVAL", "PREVIOUS"]));
    }
    effects
}

/// Returns the name of the temporary table that a statement creates.
fn temporary_table(mut at: Cursor<'_>) -> Option<String> {
    if !at.eat(&["CREATE"]) {
        return None;
    }
    at.eat(&["OR", "REPLACE"]);
    if !at.eat(&["TEMPORARY"]) {
        return None;
    }
    at.eat_any(&["TABLE", "SEQUENCE"]);
    at.eat(&["IF", "NOT", "EXISTS"]);
    at.name().map(|name| name.name)
}

/// Returns whether a statement contains one of these names outside strings.
fn calls_any(at: &Cursor<'_>, names: &[&str]) -> bool {
    at.remaining().iter().any(|token| {
        unquoted(token)
            .is_some_and(|token| names.iter().any(|name| token.eq_ignore_ascii_case(name)))
    })
}
