//! Statements whose outcome an earlier run did not see, and what statements leave in their session.

use async_trait::async_trait;
use lockage_core::Result;
use lockage_sql::script::{SQLITE, tokens};
use lockage_sql::{Recovery, Resolution, SessionEffect};

use crate::connection::SqliteConnection;
use crate::pragma::unquoted;

#[async_trait]
impl Recovery for SqliteConnection {
    async fn resolve(&mut self, _statement: &str, _snapshot: Option<&str>) -> Result<Resolution> {
        // The only autocommit statement is VACUUM, which may be repeated.
        Ok(Resolution::NotApplied)
    }

    fn session_effects(&self, statement: &str) -> Vec<SessionEffect> {
        let tokens: Vec<&str> = tokens(statement, &SQLITE).collect();
        temporary_object(&tokens)
            .or_else(|| memory_database(&tokens))
            .into_iter()
            .collect()
    }
}

/// Returns the temporary table, view or trigger that a statement creates. Every use of the table of a trigger depends on it.
fn temporary_object(tokens: &[&str]) -> Option<SessionEffect> {
    let is = |index: usize, word: &str| {
        tokens
            .get(index)
            .is_some_and(|token| token.eq_ignore_ascii_case(word))
    };
    if !is(0, "CREATE") {
        return None;
    }
    let has_keyword = is(1, "TEMP") || is(1, "TEMPORARY");
    let kinds = ["TABLE", "VIEW", "TRIGGER"];
    let kind_at = (1..4).find(|index| kinds.iter().any(|kind| is(*index, kind)))?;
    let mut name_at = kind_at + 1;
    if is(name_at, "IF") {
        name_at += 3;
    }
    let mut is_temporary = has_keyword;
    if is(name_at + 1, ".") {
        is_temporary |= unquoted(tokens[name_at]).eq_ignore_ascii_case("temp");
        name_at += 2;
    }
    if !is_temporary {
        return None;
    }
    let name = unquoted(tokens.get(name_at)?);
    let kind = tokens[kind_at].to_ascii_lowercase();
    let mut used_by = vec![name.clone()];
    if kind == "trigger" {
        let on = (name_at..tokens.len()).find(|index| is(*index, "ON"))?;
        used_by.push(unquoted(tokens.get(on + 1)?));
    }
    let description = format!("the temporary {kind} `{name}`");
    Some(SessionEffect::used_by(description, used_by))
}

/// Returns the database in memory that a statement attaches. The statement runs again in the next session, but the content is
/// lost.
fn memory_database(tokens: &[&str]) -> Option<SessionEffect> {
    let first = tokens.first()?;
    let location = unquoted(tokens.iter().find(|token| token.starts_with('\''))?);
    let is_memory =
        location.is_empty() || location.contains(":memory:") || location.contains("mode=memory");
    if !first.eq_ignore_ascii_case("ATTACH") || !is_memory {
        return None;
    }
    let after = tokens
        .iter()
        .position(|token| token.eq_ignore_ascii_case("AS"))?;
    let name = unquoted(tokens.get(after + 1)?);
    let description = format!("the content of the attached database `{name}`");
    Some(SessionEffect::used_by(description, [name]))
}
