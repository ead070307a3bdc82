//! Where the history stands, and whether one that was not found is not there.

use lockage_core::{Error, ErrorKind, Result};
use lockage_sql::{Row, double_quoted};

use crate::dialect::literal;

/// The schema of the history's table or, where there is none, the one in which it will be made.
pub(crate) fn look(table: &str) -> String {
    format!(
        "SELECT coalesce((SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid = pg_catalog.to_regclass({})), pg_catalog.current_schema())",
        literal(&double_quoted(table))
    )
}

/// The search path as it is set, whose it is, the schema that it leads to, and the schemas with a history that this user must not enter:
/// the server passes over those without a word.
pub(crate) fn look_for_hidden(table: &str) -> String {
    format!(
        "SELECT pg_catalog.current_setting('search_path'), current_user, pg_catalog.current_schema(), h.nspname FROM (SELECT 1) one \
         LEFT JOIN (SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relname = {} AND NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE')) h ON true",
        literal(table)
    )
}

/// Judges the rows of [`look_for_hidden`].
///
/// # Errors
/// Where there is a history that cannot be seen, or no place in which to look for one.
pub(crate) fn check_history_absent(rows: Vec<Row>, table: &str) -> Result<()> {
    for row in rows {
        let mut columns = row.into_iter();
        let mut next = || columns.next().flatten();
        let (path, user, home, hidden) = (next(), next(), next(), next());
        let (path, user) = (path.unwrap_or_default(), user.unwrap_or_default());
        if let Some(hidden) = hidden
            && names(&path, &user).any(|name| name == hidden)
        {
            return Err(Error::new(
                ErrorKind::Unexpected,
                format!("the history stands in the schema {hidden}, which the user {user} must not enter"),
            )
            .with_hint(format!(
                "GRANT USAGE ON SCHEMA {schema} TO {user}; GRANT SELECT ON {schema}.{table} TO {user}; whoever migrates also needs INSERT, \
                 UPDATE and DELETE there",
                schema = double_quoted(&hidden),
                table = double_quoted(table),
                user = double_quoted(&user),
            )));
        }
        if home.is_none() {
            return Err(nowhere());
        }
    }
    Ok(())
}

pub(crate) fn nowhere() -> Error {
    Error::new(
        ErrorKind::InvalidConfig,
        "no schema of the search_path exists for this user, so the history has no place",
    )
    .with_hint(
        "name a schema with --schema (ConnectOptions::schema), make one that the search_path names, or GRANT USAGE on it",
    )
}

/// The names in a search path. `"$user"` stands for the user.
fn names<'a>(path: &'a str, user: &'a str) -> impl Iterator<Item = String> + 'a {
    let mut rest = path.trim_start();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut name = String::new();
        let mut quoted = false;
        let mut chars = rest.char_indices().peekable();
        let mut end = rest.len();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' if quoted && chars.next_if(|(_, next)| *next == '"').is_some() => {
                    name.push('"');
                }
                '"' => quoted = !quoted,
                ',' if !quoted => {
                    end = at + 1;
                    break;
                }
                c if c.is_whitespace() && !quoted => {}
                c => name.push(c),
            }
        }
        rest = rest[end..].trim_start();
        Some(if name == "$user" {
            user.to_owned()
        } else {
            name
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_path_is_a_list_of_names() {
        let read = |path| names(path, "me").collect::<Vec<_>>();
        assert_eq!(read(r#""$user", public"#), ["me", "public"]);
        assert_eq!(read(r#"app,"My, app" ,"a""b""#), ["app", "My, app", "a\"b"]);
        assert_eq!(read(""), [""; 0]);
        assert_eq!(read(r#""""#), [""]);
    }
}
