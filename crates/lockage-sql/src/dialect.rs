//! How an engine writes the SQL that Lockage generates.

use crate::script::Syntax;

/// How an engine writes SQL: a constant of its crate, built with [`Dialect::new`].
///
/// The defaults are standard SQL: `BEGIN`, `COMMIT` and `ROLLBACK`, names in double quotes, texts in single quotes without
/// backslash escapes, `VARCHAR` and `BIGINT`, `CREATE TABLE IF NOT EXISTS`, `SELECT … FOR UPDATE`.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Dialect {
    /// The engine's name in messages.
    pub engine: &'static str,
    /// How scripts are split into statements.
    pub syntax: &'static Syntax,
    /// Whether a script and its history row can commit together, DDL included.
    pub transactional_ddl: bool,
    /// Begins a transaction that may write.
    pub begin: &'static str,
    /// Commits the transaction.
    pub commit: &'static str,
    /// Rolls the transaction back. It must not harm the session when no transaction is open.
    pub rollback: &'static str,
    /// Quotes a name.
    pub identifier: fn(&str) -> String,
    /// Quotes a text.
    pub literal: fn(&str) -> String,
    /// The type of a text of at most so many characters. A short text can be part of a primary key.
    pub text_type: fn(u16) -> String,
    /// The type of a 64-bit integer.
    pub integer_type: &'static str,
    /// Creates a table if it does not exist: its full name, then its columns.
    pub create_table: fn(&str, &str) -> String,
    /// Makes a `SELECT` lock the rows that it reads, with a leading blank; empty where writing transactions exclude each other.
    pub for_update: &'static str,
    /// Milliseconds since the start of the transaction, where a transaction is one message and the client cannot measure it.
    pub elapsed_ms: Option<&'static str>,
    /// How the engine writes times.
    pub clock: Clock,
}

/// How an engine writes times.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// The type of a point in time.
    pub time_type: &'static str,
    /// The current time in UTC, which advances within a transaction.
    pub now: &'static str,
    /// Converts a column of `time_type` to RFC 3339 text in UTC: `2026-01-31T09:30:00.123456Z`.
    pub to_text: fn(&str) -> String,
    /// The current time as an integer: milliseconds since 1970. Leases are computed with it.
    pub now_ms: &'static str,
}

impl Dialect {
    /// Creates a dialect of standard SQL without transactional DDL.
    pub const fn new(engine: &'static str, syntax: &'static Syntax, clock: Clock) -> Self {
        Self {
            engine,
            syntax,
            transactional_ddl: false,
            begin: "BEGIN",
            commit: "COMMIT",
            rollback: "ROLLBACK",
            identifier: double_quoted,
            literal: single_quoted,
            text_type: varchar,
            integer_type: "BIGINT",
            create_table: create_if_not_exists,
            for_update: " FOR UPDATE",
            elapsed_ms: None,
            clock,
        }
    }

    /// Declares that a script and its history row can commit together, DDL included.
    #[must_use]
    pub const fn with_transactional_ddl(mut self) -> Self {
        self.transactional_ddl = true;
        self
    }

    /// Sets the statements that begin, commit and roll back a transaction.
    #[must_use]
    pub const fn with_transaction(
        mut self,
        begin: &'static str,
        commit: &'static str,
        rollback: &'static str,
    ) -> Self {
        self.begin = begin;
        self.commit = commit;
        self.rollback = rollback;
        self
    }

    /// Sets how names and texts are quoted.
    #[must_use]
    pub const fn with_quotes(
        mut self,
        identifier: fn(&str) -> String,
        literal: fn(&str) -> String,
    ) -> Self {
        self.identifier = identifier;
        self.literal = literal;
        self
    }

    /// Sets the types of texts and of 64-bit integers.
    #[must_use]
    pub const fn with_types(
        mut self,
        text_type: fn(u16) -> String,
        integer_type: &'static str,
    ) -> Self {
        self.text_type = text_type;
        self.integer_type = integer_type;
        self
    }

    /// Sets how a table is created if it does not exist.
    #[must_use]
    pub const fn with_create_table(mut self, create_table: fn(&str, &str) -> String) -> Self {
        self.create_table = create_table;
        self
    }

    /// Sets how a `SELECT` locks the rows that it reads, with a leading blank.
    #[must_use]
    pub const fn with_for_update(mut self, for_update: &'static str) -> Self {
        self.for_update = for_update;
        self
    }

    /// Sets the SQL for the milliseconds since the start of the transaction.
    #[must_use]
    pub const fn with_elapsed_ms(mut self, elapsed_ms: &'static str) -> Self {
        self.elapsed_ms = Some(elapsed_ms);
        self
    }

    /// Returns the quoted name of a table, qualified with its schema.
    pub(crate) fn table(&self, schema: Option<&str>, name: &str) -> String {
        match schema {
            Some(schema) => format!("{}.{}", (self.identifier)(schema), (self.identifier)(name)),
            None => (self.identifier)(name),
        }
    }
}

/// Returns `CREATE TABLE IF NOT EXISTS`.
pub fn create_if_not_exists(table: &str, columns: &str) -> String {
    format!("CREATE TABLE IF NOT EXISTS {table} ({columns})")
}

/// Quotes a name as standard SQL does: `"name"`.
pub fn double_quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes a text as standard SQL does: `'text'`. Only for engines, or sessions, without backslash escapes.
pub fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn varchar(characters: u16) -> String {
    format!("VARCHAR({characters})")
}
