//! Finds the schema of the history, and distinguishes a history that does not exist from one that the user cannot see.

use lockage_core::{Error, ErrorKind, Result};
use lockage_sql::{Row, double_quoted};

use crate::dialect::literal;

/// Returns a query for the schema of the history table or, if the table does not exist, the schema in which it will be created.
pub(crate) fn locate_sql(table: &str) -> String {
    format!(
        "SELECT coalesce((SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid = pg_catalog.to_regclass({})), pg_catalog.current_schema())",
        literal(&double_quoted(table))
    )
}

/// Returns a query for histories that this user cannot see; [`check_absent`] reads its rows.
///
/// The server silently skips schemas of the search path on which the user has no USAGE privilege. The columns are the search path
/// setting, the user, the current schema, and one such schema with a history table.
pub(crate) fn hidden_history_sql(table: &str) -> String {
    format!(
        "SELECT pg_catalog.current_setting('search_path'), current_user, pg_catalog.current_schema(), h.nspname FROM (SELECT 1) one \
         LEFT JOIN (SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relname = {} AND NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE')) h ON true",
        literal(table)
    )
}

/// Checks the rows of [`hidden_history_sql`].
///
/// # Errors
/// Fails if the search path names a schema with a history that the user cannot see, or names no existing schema.
pub(crate) fn check_absent(rows: Vec<Row>, table: &str) -> Result<()> {
    for row in rows {
        let mut columns = row.into_iter();
        let mut next = || columns.next().flatten();
        let (path, user, current, hidden) = (next(), next(), next(), next());
        let (path, user) = (path.unwrap_or_default(), user.unwrap_or_default());
        if let Some(hidden) = hidden
            && search_path_names(&path, &user).any(|name| name == hidden)
        {
            return Err(Error::new(
                ErrorKind::Unexpected,
                format!("user {user} has no USAGE privilege on schema {hidden}, which contains the history table"),
            )
            .with_hint(format!(
                "GRANT USAGE ON SCHEMA {schema} TO {user}; GRANT SELECT ON {schema}.{table} TO {user}; migrating also requires INSERT, \
                 UPDATE and DELETE on the table",
                schema = double_quoted(&hidden),
                table = double_quoted(table),
                user = double_quoted(&user),
            )));
        }
        if current.is_none() {
            return Err(no_schema_error());
        }
    }
    Ok(())
}

/// Returns the error of a search path without an accessible schema.
pub(crate) fn no_schema_error() -> Error {
    Error::new(
        ErrorKind::InvalidConfig,
        "no schema of the search_path exists for this user, so the history table has no schema",
    )
    .with_hint(
        "name a schema with --schema (ConnectOptions::schema), create a schema of the search_path, or GRANT USAGE on it",
    )
}

/// Returns the names in a search path. `"$user"` means the user.
fn search_path_names<'a>(path: &'a str, user: &'a str) -> impl Iterator<Item = String> + 'a {
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
    fn search_path_is_split_into_names() {
        let read = |path| search_path_names(path, "me").collect::<Vec<_>>();
        assert_eq!(read(r#""$user", public"#), ["me", "public"]);
        assert_eq!(read(r#"app,"My, app" ,"a""b""#), ["app", "My, app", "a\"b"]);
        assert_eq!(read(""), [""; 0]);
        assert_eq!(read(r#""""#), [""]);
    }
}
