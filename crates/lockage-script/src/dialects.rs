//! The rules of the engines that Lockage supports.

use crate::syntax::{Backslash, Bodies, Brackets, DollarQuotes, DoubleQuotes, Separator, Syntax};
use crate::transaction_phrase::{
    MYSQL_PHRASES, POSTGRES_PHRASES, SQLITE_PHRASES, SQLSERVER_PHRASES,
};

/// PostgreSQL with `standard_conforming_strings` on.
pub const POSTGRES: Syntax = Syntax {
    name: "PostgreSQL",
    separator: Separator::Semicolon,
    parentheses_group: true,
    nested_comments: true,
    versioned_comments: false,
    hash_comments: false,
    dashes_need_space: false,
    return_ends_comment: true,
    backslash: Backslash::EscapeStrings,
    double_quotes: DoubleQuotes::Identifier,
    backticks: false,
    brackets: Brackets::Operators,
    dollar_quotes: DollarQuotes::Anywhere,
    word_starts: "",
    word_parts: "$",
    delimiter_lines: false,
    bodies: Bodies::Atomic,
    psql: true,
    transactions: POSTGRES_PHRASES,
    savepoint_begins: false,
};

/// MySQL and MariaDB in their default `sql_mode`: without `ANSI_QUOTES` and `NO_BACKSLASH_ESCAPES`.
pub const MYSQL: Syntax = Syntax {
    name: "MySQL",
    separator: Separator::Semicolon,
    parentheses_group: false,
    nested_comments: false,
    versioned_comments: true,
    hash_comments: true,
    dashes_need_space: true,
    return_ends_comment: false,
    backslash: Backslash::Escapes,
    double_quotes: DoubleQuotes::String,
    backticks: true,
    brackets: Brackets::Operators,
    dollar_quotes: DollarQuotes::AfterAs,
    word_starts: "@",
    word_parts: "$",
    delimiter_lines: true,
    bodies: Bodies::Routines,
    psql: false,
    transactions: MYSQL_PHRASES,
    savepoint_begins: false,
};

/// SQL Server, whose scripts are divided into batches as by `sqlcmd`.
pub const SQLSERVER: Syntax = Syntax {
    name: "SQL Server",
    separator: Separator::GoLine,
    parentheses_group: false,
    nested_comments: true,
    versioned_comments: false,
    hash_comments: false,
    dashes_need_space: false,
    return_ends_comment: false,
    backslash: Backslash::Plain,
    double_quotes: DoubleQuotes::Identifier,
    backticks: false,
    brackets: Brackets::Doubled,
    dollar_quotes: DollarQuotes::None,
    word_starts: "@#",
    word_parts: "@#$",
    delimiter_lines: false,
    bodies: Bodies::None,
    psql: false,
    transactions: SQLSERVER_PHRASES,
    savepoint_begins: false,
};

/// SQLite.
pub const SQLITE: Syntax = Syntax {
    name: "SQLite",
    separator: Separator::Semicolon,
    parentheses_group: false,
    nested_comments: false,
    versioned_comments: false,
    hash_comments: false,
    dashes_need_space: false,
    return_ends_comment: false,
    backslash: Backslash::Plain,
    double_quotes: DoubleQuotes::Identifier,
    backticks: true,
    brackets: Brackets::Plain,
    dollar_quotes: DollarQuotes::None,
    word_starts: "@",
    word_parts: "$",
    delimiter_lines: false,
    bodies: Bodies::Triggers,
    psql: false,
    transactions: SQLITE_PHRASES,
    savepoint_begins: true,
};
