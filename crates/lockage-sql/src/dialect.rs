use crate::script::Syntax;

/// How an engine writes what every SQL engine has: a constant of its crate.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// The engine's name in messages.
    pub engine: &'static str,
    /// How its scripts are split into statements.
    pub syntax: &'static Syntax,
    /// Whether a script and its history row can commit together, DDL included.
    pub transactional_ddl: bool,
    /// Begins a transaction that may write.
    pub begin: &'static str,
    /// Commits it.
    pub commit: &'static str,
    /// Takes it back. Harmless where no transaction is open, or refused harmlessly.
    pub rollback: &'static str,
    /// Quotes an identifier.
    pub identifier: fn(&str) -> String,
    /// Quotes a text.
    pub literal: fn(&str) -> String,
    /// The type of a text of at most so many characters that can stand in a primary key.
    pub text_type: fn(u16) -> String,
    /// The type of a 64-bit integer.
    pub integer_type: &'static str,
    /// The type of a point in time.
    pub time_type: &'static str,
    /// The time now, in UTC, not the start of the transaction.
    pub now: &'static str,
    /// Turns a column of that type into RFC 3339 text in UTC: `2026-01-31T09:30:00.123456Z`.
    pub time_text: fn(&str) -> String,
    /// Makes a table, by its full name, with these columns, unless it is there.
    pub create_table: fn(&str, &str) -> String,
    /// The server's clock as a whole number: milliseconds since 1970. Leases are reckoned with it.
    pub clock_ms: &'static str,
    /// What makes a `SELECT` lock the rows that it reads, with a blank in front; empty where a transaction that writes is
    /// alone anyway.
    pub for_update: &'static str,
    /// Milliseconds since the transaction began, where a transaction is one message and the client cannot measure it.
    pub elapsed_ms: Option<&'static str>,
}

impl Dialect {
    /// A table's name with the schema that it stands in.
    pub(crate) fn table(&self, schema: Option<&str>, name: &str) -> String {
        match schema {
            Some(schema) => format!("{}.{}", (self.identifier)(schema), (self.identifier)(name)),
            None => (self.identifier)(name),
        }
    }
}

/// Makes a table as most engines do: `CREATE TABLE IF NOT EXISTS`.
pub fn create_if_not_exists(table: &str, columns: &str) -> String {
    format!("CREATE TABLE IF NOT EXISTS {table} ({columns})")
}

/// Quotes an identifier as standard SQL does: `"name"`.
pub fn double_quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes a text as standard SQL does: `'text'`. For engines, or sessions, without backslash escapes.
pub fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
