//! The names of the tables: their schema or prefix, and how scripts refer to them.

use lockage_core::{Error, ErrorKind, Result};
use lockage_sql::Dialect;

/// The history of the message database. An application may have its own history in the same schema.
const HISTORY_TABLE: &str = "lockage_message_history";

/// The maximum length of a schema's name in bytes. PostgreSQL truncates longer names.
const MAX_SCHEMA_LEN: usize = 63;

/// The schema of the tables, or a prefix if the engine has no schemas.
#[derive(Debug, Clone)]
pub(crate) struct TableNames {
    dialect: &'static Dialect,
    /// The schema; `None` for the default schema of the connection.
    pub(crate) schema: Option<String>,
    prefix: String,
}

impl TableNames {
    /// Returns the names in a schema.
    pub(crate) fn in_schema(dialect: &'static Dialect, schema: Option<&str>) -> Self {
        Self {
            dialect,
            schema: schema.map(str::to_owned),
            prefix: String::new(),
        }
    }

    /// Adds `prefix_` to the name of each table.
    #[cfg(feature = "sqlite")]
    pub(crate) fn with_prefix(self, prefix: &str) -> Self {
        Self {
            prefix: format!("{prefix}_"),
            ..self
        }
    }

    /// Returns the quoted name of a table, with its schema.
    pub(crate) fn table(&self, table: &str) -> String {
        let name = self.name(table);
        match &self.schema {
            Some(schema) => format!("{}.{name}", (self.dialect.identifier)(schema)),
            None => name,
        }
    }

    /// Returns a quoted name without the schema: of an index, or where the engine allows no schema.
    fn name(&self, name: &str) -> String {
        (self.dialect.identifier)(&self.unquoted(name))
    }

    /// Returns a name as the catalog contains it, without quotes.
    pub(crate) fn unquoted(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Returns a text as an SQL literal.
    #[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlserver"))]
    pub(crate) fn literal(&self, text: &str) -> String {
        (self.dialect.literal)(text)
    }

    /// Returns the name of the history table, without quotes.
    pub(crate) fn history(&self) -> String {
        self.unquoted(HISTORY_TABLE)
    }

    /// Replaces the placeholders of a script: `{{table:nodes}}` by the name of a table, `{{name:nodes_key}}` by a name without
    /// its schema. Inserted names are not searched for placeholders.
    pub(crate) fn render(&self, script: &str) -> Result<String> {
        let mut rendered = String::with_capacity(script.len());
        let mut rest = script;
        while let Some((before, after)) = rest.split_once("{{") {
            rendered.push_str(before);
            let (placeholder, after) = after.split_once("}}").unwrap_or((after, ""));
            match placeholder.split_once(':') {
                Some(("table", name)) => rendered.push_str(&self.table(name)),
                Some(("name", name)) => rendered.push_str(&self.name(name)),
                _ => {
                    return Err(Error::new(
                        ErrorKind::Unexpected,
                        format!(
                            "a script of the message database contains the unknown placeholder `{placeholder}`"
                        ),
                    ));
                }
            }
            rest = after;
        }
        rendered.push_str(rest);
        Ok(rendered)
    }
}

/// Checks that every engine accepts a text as the name of a schema.
///
/// # Errors
/// [`ErrorKind::InvalidConfig`] for an empty or long text and for control characters.
pub(crate) fn check_schema(schema: &str) -> Result<()> {
    if schema.trim().is_empty()
        || schema.len() > MAX_SCHEMA_LEN
        || schema.chars().any(char::is_control)
    {
        return Err(Error::new(
            ErrorKind::InvalidConfig,
            format!(
                "`{}` is not a valid schema name for a message database",
                schema.escape_debug()
            ),
        )
        .with_hint(format!(
            "use 1 to {MAX_SCHEMA_LEN} bytes of printable characters"
        )));
    }
    Ok(())
}
