//! The lexical rules of a dialect.

use crate::transaction_phrase::TransactionPhrase;

/// The lexical rules of one SQL dialect.
///
/// Start from the nearest of [`POSTGRES`](crate::POSTGRES), [`MYSQL`](crate::MYSQL), [`SQLITE`](crate::SQLITE) and
/// [`SQLSERVER`](crate::SQLSERVER), or from [`Syntax::new`], and change rules with the `with_…` methods. All of them are `const`. A field
/// that a later version adds keeps the value of the syntax that you started from.
///
/// ```
/// use lockage_script::{Bodies, SQLITE, Syntax};
///
/// static EXAMPLE: Syntax = SQLITE.with_name("Example").with_bodies(Bodies::None);
/// assert!(EXAMPLE.backticks);
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Syntax {
    /// The dialect's name, for messages.
    pub name: &'static str,
    /// What ends a statement.
    pub separator: Separator,
    /// Whether a semicolon inside parentheses belongs to the statement (`CREATE RULE … DO (a; b)`).
    pub parentheses_group: bool,
    /// Whether `/* /* */ */` is one comment.
    pub nested_comments: bool,
    /// Whether `/*! … */` and `/*M! … */` are code, not comments.
    pub versioned_comments: bool,
    /// Whether `#` starts a comment.
    pub hash_comments: bool,
    /// Whether `--` starts a comment only before white space, a control character or the end of the script.
    ///
    /// Between statements, a line that starts with `--` is a comment in any case: MySQL's client drops such lines.
    pub dashes_need_space: bool,
    /// Whether a carriage return without a line feed ends a line comment.
    pub return_ends_comment: bool,
    /// Where a backslash escapes the next character of a `'…'` literal.
    pub backslash: Backslash,
    /// The meaning of `"…"`.
    pub double_quotes: DoubleQuotes,
    /// Whether `` `…` `` is an identifier.
    pub backticks: bool,
    /// The meaning of `[…]`.
    pub brackets: Brackets,
    /// Where `$tag$ … $tag$` is a literal.
    pub dollar_quotes: DollarQuotes,
    /// Characters that can start a word, in addition to letters, `_` and non-ASCII characters. ASCII only.
    pub word_starts: &'static str,
    /// Characters that can continue a word, in addition to letters, digits, `_` and non-ASCII characters. ASCII only.
    pub word_parts: &'static str,
    /// Whether a line `DELIMITER xx` changes what ends a statement.
    pub delimiter_lines: bool,
    /// Which statements contain other statements.
    pub bodies: Bodies,
    /// Whether psql commands (`\connect`) and `COPY … FROM STDIN`, whose data follows in the script, are recognised and rejected.
    pub psql: bool,
    /// The phrases that begin, end or divide a transaction. The first one that matches counts.
    pub transactions: &'static [TransactionPhrase],
    /// Whether a savepoint outside a transaction begins one, which ends when the savepoint is released; see
    /// [`Savepoints`](crate::Savepoints).
    pub savepoint_begins: bool,
}

impl Syntax {
    /// Returns the rules that standard SQL and most engines share.
    ///
    /// Statements end at semicolons; `'…'` is a literal and `"…"` an identifier, both without backslash escapes; `--` and `/* … */` are
    /// comments. No statement contains others, and no phrase controls a transaction.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            separator: Separator::Semicolon,
            parentheses_group: false,
            nested_comments: false,
            versioned_comments: false,
            hash_comments: false,
            dashes_need_space: false,
            return_ends_comment: false,
            backslash: Backslash::Plain,
            double_quotes: DoubleQuotes::Identifier,
            backticks: false,
            brackets: Brackets::Operators,
            dollar_quotes: DollarQuotes::None,
            word_starts: "",
            word_parts: "",
            delimiter_lines: false,
            bodies: Bodies::None,
            psql: false,
            transactions: &[],
            savepoint_begins: false,
        }
    }
}

macro_rules! setters {
    ($($setter:ident => $field:ident: $type:ty;)*) => {
        impl Syntax {
            $(
                #[doc = concat!("Sets [`", stringify!($field), "`](Self::", stringify!($field), ").")]
                #[must_use]
                pub const fn $setter(mut self, $field: $type) -> Self {
                    self.$field = $field;
                    self
                }
            )*
        }
    };
}

setters! {
    with_name => name: &'static str;
    with_separator => separator: Separator;
    with_parentheses_group => parentheses_group: bool;
    with_nested_comments => nested_comments: bool;
    with_versioned_comments => versioned_comments: bool;
    with_hash_comments => hash_comments: bool;
    with_dashes_need_space => dashes_need_space: bool;
    with_return_ends_comment => return_ends_comment: bool;
    with_backslash => backslash: Backslash;
    with_double_quotes => double_quotes: DoubleQuotes;
    with_backticks => backticks: bool;
    with_brackets => brackets: Brackets;
    with_dollar_quotes => dollar_quotes: DollarQuotes;
    with_word_starts => word_starts: &'static str;
    with_word_parts => word_parts: &'static str;
    with_delimiter_lines => delimiter_lines: bool;
    with_bodies => bodies: Bodies;
    with_psql => psql: bool;
    with_transactions => transactions: &'static [TransactionPhrase];
    with_savepoint_begins => savepoint_begins: bool;
}

/// What ends a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Separator {
    /// A semicolon.
    Semicolon,
    /// A line that contains only `GO` or `GO n`. A statement is then a whole batch.
    GoLine,
}

/// Where a backslash escapes the next character of a `'…'` literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backslash {
    /// Nowhere.
    Plain,
    /// In `E'…'` only.
    EscapeStrings,
    /// In every literal.
    Escapes,
}

/// The meaning of `"…"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DoubleQuotes {
    /// An identifier, in which a backslash has no special meaning.
    Identifier,
    /// A string literal with the backslash rule of `'…'`.
    String,
}

/// The meaning of `[…]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Brackets {
    /// Two operators.
    Operators,
    /// An identifier in which `]]` means `]`.
    Doubled,
    /// An identifier that ends at the first `]`.
    Plain,
}

/// Where `$tag$ … $tag$` is a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DollarQuotes {
    /// Nowhere.
    None,
    /// Everywhere.
    Anywhere,
    /// Only after the word `AS`, for MySQL's routines in other languages.
    AfterAs,
}

/// Which statements contain other statements with their semicolons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
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
