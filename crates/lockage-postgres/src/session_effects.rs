//! What a statement leaves in its session that a later session does not have.

use lockage_sql::SessionEffect;
use lockage_sql::script::tokens;

use crate::dialect::{DIALECT, unquoted};
use crate::statement_mode::{is_session_setting, leading_keywords};

/// Returns the effects of a statement of a script.
///
/// Statements in the body of a `DO` block count, statements in functions that it calls do not.
pub(crate) fn session_effects(statement: &str) -> Vec<SessionEffect> {
    let words = all_words(statement);
    let mut effects = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let (before, after) = (&words[..index], &words[index + 1..]);
        effects.extend(temporary_object(before, word, after));
        effects.extend(function_effect(word));
    }
    effects.extend(prepared_statement(&words));
    if is_generator(&words) {
        effects.push(SessionEffect::used_by(
            "the results of lastval() and currval()",
            ["LASTVAL", "CURRVAL"],
        ));
    }
    effects.extend(changed_setting(statement, &words));
    effects
}

/// Returns the words of a statement: unquoted ones in upper case, and those inside dollar quotes.
fn all_words(statement: &str) -> Vec<String> {
    let mut words = Vec::new();
    for token in tokens(statement, DIALECT.syntax) {
        match token
            .strip_prefix('$')
            .and_then(|rest| rest.split_once('$'))
        {
            Some((tag, body)) => {
                let end = format!("${tag}$");
                let body = body.strip_suffix(&*end).unwrap_or(body);
                words.extend(tokens(body, DIALECT.syntax).map(upper_case));
            }
            None => words.push(upper_case(token)),
        }
    }
    words
}

fn upper_case(token: &str) -> String {
    match token.starts_with(['"', '\'']) {
        true => token.to_owned(),
        false => token.to_uppercase(),
    }
}

/// Returns the effect of `CREATE TEMPORARY …`, `SELECT … INTO TEMPORARY …` or `CREATE … pg_temp.name`, where `word` is the word
/// in the middle.
fn temporary_object(before: &[String], word: &str, after: &[String]) -> Option<SessionEffect> {
    let name = match word {
        "TEMP" | "TEMPORARY" => {
            let creates = matches!(
                before.last()?.as_str(),
                "CREATE" | "INTO" | "LOCAL" | "GLOBAL" | "REPLACE"
            );
            let is_noise = |word: &&String| {
                matches!(
                    word.as_str(),
                    "TABLE"
                        | "SEQUENCE"
                        | "VIEW"
                        | "RECURSIVE"
                        | "IF"
                        | "NOT"
                        | "EXISTS"
                        | "PG_TEMP"
                        | "."
                )
            };
            after
                .iter()
                .filter(|_| creates)
                .find(|word| !is_noise(word))
        }
        "PG_TEMP" if before.first().is_some_and(|word| word == "CREATE") => {
            after.first().filter(|dot| *dot == ".")?;
            after.get(1)
        }
        _ => None,
    }?;
    let name = unquoted(name);
    Some(SessionEffect::used_by(
        format!("the temporary object `{name}`"),
        [name],
    ))
}

/// Returns the effect of calling a function of the server.
fn function_effect(word: &str) -> Option<SessionEffect> {
    match word {
        "PG_ADVISORY_LOCK"
        | "PG_ADVISORY_LOCK_SHARED"
        | "PG_TRY_ADVISORY_LOCK"
        | "PG_TRY_ADVISORY_LOCK_SHARED" => Some(SessionEffect::used_by_all(
            "an advisory lock of the session",
        )),
        "SETSEED" => Some(random_sequence()),
        _ => None,
    }
}

fn random_sequence() -> SessionEffect {
    SessionEffect::used_by("the seed of random()", ["RANDOM", "RANDOM_NORMAL"])
}

/// Returns the effect of PREPARE, DECLARE … WITH HOLD and LISTEN.
fn prepared_statement(words: &[String]) -> Option<SessionEffect> {
    let name = unquoted(words.get(1)?);
    match words.first()?.as_str() {
        "PREPARE" => Some(SessionEffect::used_by(
            format!("the prepared statement `{name}`"),
            [name],
        )),
        "DECLARE" => Some(SessionEffect::used_by(
            format!("the cursor `{name}`"),
            [name],
        )),
        "LISTEN" => Some(SessionEffect::used_by(
            format!("the channel `{name}`"),
            ["PG_LISTENING_CHANNELS"],
        )),
        _ => None,
    }
}

/// Returns whether the statement may take values from a sequence.
fn is_generator(words: &[String]) -> bool {
    let has = |names: &[&str]| words.iter().any(|word| names.contains(&word.as_str()));
    match words.first().map_or("", String::as_str) {
        "INSERT" | "MERGE" | "WITH" | "SELECT" | "VALUES" | "CALL" | "DO" | "COPY" | "UPDATE"
        | "DELETE" | "EXECUTE" => true,
        "ALTER" => has(&["SERIAL", "BIGSERIAL", "SMALLSERIAL", "IDENTITY", "NEXTVAL"]),
        "CREATE" => has(&["NEXTVAL", "SETVAL"]),
        _ => false,
    }
}

/// Returns the effect of a setting for the session that is no statement of its own, and so is not repeated.
fn changed_setting(statement: &str, words: &[String]) -> Option<SessionEffect> {
    if is_session_setting(&leading_keywords(statement)) {
        let sets_seed = words.first().is_some_and(|word| word == "SET")
            && words.iter().take(3).any(|word| word == "SEED");
        return sets_seed.then(random_sequence);
    }
    let call = words.iter().position(|word| word == "SET_CONFIG")?;
    if words[call..].iter().any(|word| word == "TRUE") {
        return None;
    }
    let name = words.get(call + 2).filter(|name| name.starts_with('\''))?;
    let name = name.trim_matches('\'');
    let description = format!("the setting `{name}`");
    // The server's own settings affect every statement.
    Some(match name.contains('.') {
        true => SessionEffect::used_by(description, ["CURRENT_SETTING", "SHOW"]),
        false => SessionEffect::used_by_all(description),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the descriptions, without that of sequences.
    fn effects(statement: &str) -> Vec<String> {
        session_effects(statement)
            .into_iter()
            .map(|effect| effect.description)
            .filter(|description| !description.contains("lastval"))
            .collect()
    }

    #[test]
    fn session_effects_are_recognized() {
        for (statement, expected) in [
            (
                "create temporary table t as select 1",
                "the temporary object `t`",
            ),
            (
                "CREATE LOCAL TEMP TABLE IF NOT EXISTS \"T a\" (n int)",
                "the temporary object `T a`",
            ),
            (
                "CREATE OR REPLACE TEMP VIEW v AS SELECT 1",
                "the temporary object `v`",
            ),
            (
                "SELECT 1 AS n INTO TEMP TABLE t",
                "the temporary object `t`",
            ),
            (
                "CREATE FUNCTION pg_temp.f() RETURNS int",
                "the temporary object `f`",
            ),
            (
                "DO $x$ BEGIN CREATE TEMP TABLE t (n int); END $x$",
                "the temporary object `t`",
            ),
            ("PREPARE p AS SELECT 1", "the prepared statement `p`"),
            ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "the cursor `c`"),
            ("LISTEN l", "the channel `l`"),
            (
                "SELECT pg_try_advisory_lock(1)",
                "an advisory lock of the session",
            ),
            ("SELECT setseed(0.5)", "the seed of random()"),
            ("SET seed TO 0.5", "the seed of random()"),
            ("SELECT set_config('a.b', f(), false)", "the setting `a.b`"),
        ] {
            assert_eq!(effects(statement), [expected], "{statement}");
        }
        for statement in [
            "CREATE TABLE temp (temp int)",
            "SELECT pg_advisory_xact_lock(1)",
            "SET work_mem = '1MB'",
            "SELECT set_config('a.b', f(), true)",
            "SELECT temp FROM temporary",
        ] {
            assert!(effects(statement).is_empty(), "{statement}");
        }
    }
}
