//! What a dialect's lexical rules are made of.

use super::transaction::TransactionPhrase;

/// The lexical rules of one SQL dialect.
///
/// A backend for another engine builds its own from the nearest of the constants with `Syntax { name: "…", ..POSTGRES }`;
/// a field added later then takes that dialect's rule.
#[derive(Debug, Clone, Copy)]
pub struct Syntax {
    /// The dialect's name, for messages.
    pub name: &'static str,
    /// What ends a statement.
    pub separator: Separator,
    /// Whether a separator inside parentheses belongs to the statement (`CREATE RULE … DO (a; b)`).
    pub parentheses_group: bool,
    /// Whether `/* /* */ */` is one comment.
    pub nested_comments: bool,
    /// Whether `/*! … */` and `/*M! … */` are code, not comments.
    pub versioned_comments: bool,
    /// Whether `#` starts a comment.
    pub hash_comments: bool,
    /// Whether `--` only starts a comment before white space, a control character or the end. Before a statement a line that starts
    /// with it is a comment even so: MySQL's client drops such lines.
    pub dashes_need_space: bool,
    /// Whether a carriage return alone ends a line comment.
    pub return_ends_comment: bool,
    /// Where a backslash escapes the next character of a `'…'` literal.
    pub backslash: Backslash,
    /// What `"…"` is.
    pub double_quotes: DoubleQuotes,
    /// Whether `` `…` `` is an identifier.
    pub backticks: bool,
    /// What `[…]` is.
    pub brackets: Brackets,
    /// Where `$tag$ … $tag$` is a literal.
    pub dollar_quotes: DollarQuotes,
    /// Characters besides letters, `_` and non-ASCII ones that a word may start with. ASCII only.
    pub word_starts: &'static str,
    /// Characters besides those and digits that a word may go on with. ASCII only.
    pub word_parts: &'static str,
    /// Whether a line `DELIMITER xx` changes what ends a statement.
    pub delimiter_lines: bool,
    /// Which statements hold others inside.
    pub bodies: Bodies,
    /// Whether scripts may have been written for `psql`: its commands (`\connect`), and `COPY … FROM STDIN` with data behind it, are told
    /// from SQL.
    pub psql: bool,
    /// The phrases that begin, end or divide a transaction; the first that fits counts.
    pub transactions: &'static [TransactionPhrase],
}

/// What ends a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// A semicolon.
    Semicolon,
    /// A line that holds only `GO` or `GO n`; a statement is then a whole batch.
    GoLine,
}

/// Where a backslash escapes the next character of a `'…'` literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backslash {
    /// Nowhere.
    Plain,
    /// In `E'…'` only.
    EscapeStrings,
    /// In every literal.
    Escapes,
}

/// What `"…"` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoubleQuotes {
    /// An identifier, in which a backslash means nothing.
    Identifier,
    /// A string literal with the backslash rule of `'…'`.
    String,
}

/// What `[…]` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brackets {
    /// Two operators.
    Operators,
    /// An identifier in which `]]` stands for `]`.
    Doubled,
    /// An identifier that ends at the first `]`.
    Plain,
}

/// Where `$tag$ … $tag$` is a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DollarQuotes {
    /// Nowhere.
    None,
    /// Everywhere.
    Anywhere,
    /// Only after the word `AS`, as MySQL's routines in other languages have it.
    AfterAs,
}

/// Which statements hold other statements with their semicolons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bodies {
    /// None.
    None,
    /// SQLite's `CREATE TRIGGER … BEGIN …; END`.
    Triggers,
    /// PostgreSQL's `CREATE FUNCTION … BEGIN ATOMIC …; END`.
    Atomic,
    /// The compound statements of MySQL and MariaDB.
    Routines,
}
