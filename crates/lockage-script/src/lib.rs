//! Splits SQL scripts into statements, by the rules of the engines' own clients.
//!
//! [`Splitter`] reads a script from any [`std::io::Read`] and yields one [`ScriptStatement`] at a time, with its position. It holds one
//! statement in memory, not the script. It finds where statements end and nothing else: it does not parse SQL, and it changes no byte of
//! a statement.
//!
//! ```
//! use lockage_script::{POSTGRES, Splitter};
//!
//! let script = "-- first\nSELECT ';'; SELECT $$;$$";
//! let statements: Vec<_> = Splitter::new(script.as_bytes(), &POSTGRES).collect::<Result<_, _>>()?;
//! assert_eq!(statements[0].text, "SELECT ';'");
//! assert_eq!(statements[1].text, "SELECT $$;$$");
//! assert_eq!((statements[1].line, statements[1].column), (2, 13));
//! # Ok::<(), lockage_script::SplitError>(())
//! ```
//!
//! # Dialects
//!
//! A [`Syntax`] holds the lexical rules of a dialect.
//!
//! | constant | a statement ends at | special rules |
//! |---|---|---|
//! | [`POSTGRES`] | `;` | `E'…'`, `$tag$…$tag$`, nested comments, `CREATE RULE … DO (a; b)`, `BEGIN ATOMIC …; END`; `COPY … FROM STDIN` and psql commands are errors |
//! | [`MYSQL`] (MariaDB too) | `;` or the current `DELIMITER` | backslash escapes, `` `…` ``, `#` comments, `/*! … */` is code, compound statements need no `DELIMITER` |
//! | [`SQLITE`] | `;` | `[…]`, `` `…` ``, `CREATE TRIGGER … BEGIN …; END` |
//! | [`SQLSERVER`] | a line `GO` or `GO n` | `[…]`, nested comments; a statement is a whole batch, as in `sqlcmd` |
//!
//! For another engine, start from the nearest constant, or from [`Syntax::new`]:
//!
//! ```
//! use lockage_script::{Brackets, SQLITE, Splitter, Syntax};
//!
//! const FIREBIRD: Syntax = SQLITE
//!     .with_name("Firebird")
//!     .with_backticks(false)
//!     .with_brackets(Brackets::Operators);
//!
//! assert_eq!(Splitter::new("SELECT a[1]; SELECT 2".as_bytes(), &FIREBIRD).count(), 2);
//! ```
//!
//! # Statements
//!
//! Three functions read the tokens of a single statement, with the same lexer:
//! - [`leading_words`]: the first tokens, to classify a statement (`CREATE`, `TABLE`);
//! - [`tokens`]: all tokens;
//! - [`transaction_control`]: whether the statement begins or ends a transaction.
//!
//! ```
//! use lockage_script::{MYSQL, TransactionControl, leading_words, transaction_control};
//!
//! assert_eq!(leading_words("/* c */ create table t (a int)", &MYSQL, 2), ["CREATE", "TABLE"]);
//! assert_eq!(transaction_control("START TRANSACTION", &MYSQL), Some(TransactionControl::Begin));
//! ```
//!
//! # Errors
//!
//! A script that cannot be split yields a [`SplitError`] with line and column, for example for a string literal without its closing quote.
//! The statements before the error are yielded first; nothing is yielded after it.

mod body;
mod cursor;
mod delimiter;
mod dialects;
mod error;
mod go_line;
mod lexer;
mod psql_commands;
mod quoted;
mod savepoints;
mod splitter;
mod syntax;
mod transaction_control;
mod transaction_phrase;
mod words;

pub use dialects::{MYSQL, POSTGRES, SQLITE, SQLSERVER};
pub use error::{Construct, SplitError, SplitErrorKind};
pub use psql_commands::copies_from_stdin;
pub use savepoints::Savepoints;
pub use splitter::{ScriptStatement, Splitter};
pub use syntax::{Backslash, Bodies, Brackets, DollarQuotes, DoubleQuotes, Separator, Syntax};
pub use transaction_control::transaction_control;
pub use transaction_phrase::{TransactionControl, TransactionPhrase};
pub use words::{leading_words, tokens};
