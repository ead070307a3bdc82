//! Where the tables stand, and how a script learns it.

use lockage_core::{Error, ErrorKind, Result};
use lockage_sql::Dialect;

/// The history of the message database, beside which an application may have its own in the same schema.
const HISTORY: &str = "lockage_message_history";

/// The longest name of a schema, in bytes: what PostgreSQL does not cut.
const LONGEST: usize = 63;

/// A schema, or a prefix where the engine has none.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    dialect: &'static Dialect,
    /// The schema; `None` for the one that the connection is in.
    pub(crate) schema: Option<String>,
    prefix: String,
}

impl Place {
    pub(crate) fn in_schema(dialect: &'static Dialect, schema: Option<&str>) -> Self {
        Self {
            dialect,
            schema: schema.map(str::to_owned),
            prefix: String::new(),
        }
    }

    /// The same place with `prefix_` before the name of each table.
    pub(crate) fn with_prefix(self, prefix: &str) -> Self {
        Self {
            prefix: format!("{prefix}_"),
            ..self
        }
    }

    /// A table with all that its name needs.
    pub(crate) fn table(&self, table: &str) -> String {
        let name = self.name(table);
        match &self.schema {
            Some(schema) => format!("{}.{name}", (self.dialect.identifier)(schema)),
            None => name,
        }
    }

    /// A name in the place, without the schema: of an index, or where the engine takes no schema.
    fn name(&self, name: &str) -> String {
        (self.dialect.identifier)(&self.bare(name))
    }

    /// The same as the catalogue has it.
    pub(crate) fn bare(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// A name as a text.
    #[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlserver"))]
    pub(crate) fn literal(&self, text: &str) -> String {
        (self.dialect.literal)(text)
    }

    /// The name of the history's table.
    pub(crate) fn history(&self) -> String {
        self.bare(HISTORY)
    }

    /// Puts names into a script: `{{table:nodes}}` is a table, `{{name:nodes_key}}` a name without its schema. What is put in is not
    /// looked at again.
    pub(crate) fn fill(&self, script: &str) -> Result<String> {
        let mut filled = String::with_capacity(script.len());
        let mut rest = script;
        while let Some((before, behind)) = rest.split_once("{{") {
            filled.push_str(before);
            let (hole, after) = behind.split_once("}}").unwrap_or((behind, ""));
            match hole.split_once(':') {
                Some(("table", name)) => filled.push_str(&self.table(name)),
                Some(("name", name)) => filled.push_str(&self.name(name)),
                _ => {
                    return Err(Error::new(
                        ErrorKind::Unexpected,
                        format!("a script of the message database has the hole `{hole}`"),
                    ));
                }
            }
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

/// Whether every engine takes a text as the name of a schema.
pub(crate) fn check_schema(schema: &str) -> Result<()> {
    if schema.trim().is_empty() || schema.len() > LONGEST || schema.chars().any(char::is_control) {
        return Err(Error::new(
            ErrorKind::InvalidConfig,
            format!(
                "`{}` is no name for the schema of a message database",
                schema.escape_debug()
            ),
        )
        .with_hint(format!(
            "a name has 1 to {LONGEST} bytes of printable characters"
        )));
    }
    Ok(())
}
