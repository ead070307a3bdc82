//! Splits a script into its statements.
//!
//! The splitter reads from any [`std::io::Read`] and hands out one statement at a time, so a large script never stands in
//! memory as a whole. It knows where a statement ends and nothing else: literals, comments and bodies are skipped by
//! the rules of a dialect's [`Syntax`], and what stands between them is the engine's business.
//!
//! ```
//! use lockage_script::{POSTGRES, Splitter};
//!
//! let script = "-- first\nSELECT ';'; SELECT $$;$$";
//! let statements: Vec<_> = Splitter::new(script.as_bytes(), &POSTGRES).collect::<Result<_, _>>()?;
//! assert_eq!(statements[0].text, "SELECT ';'");
//! assert_eq!((statements[1].line, statements[1].column), (2, 13));
//! # Ok::<(), lockage_script::SplitError>(())
//! ```

mod batch;
mod body;
mod cursor;
mod delimiter;
mod dialects;
mod error;
mod lexer;
mod psql;
mod quoted;
mod splitter;
mod syntax;
mod transaction;
mod words;

pub use dialects::{MYSQL, POSTGRES, SQLITE, SQLSERVER};
pub use error::{Construct, SplitError, SplitErrorKind};
pub use psql::copies_from_stdin;
pub use splitter::{Piece, Splitter, Statement};
pub use syntax::{Backslash, Bodies, Brackets, DollarQuotes, DoubleQuotes, Separator, Syntax};
pub use transaction::{TransactionControl, TransactionPhrase, transaction_control};
pub use words::{leading_words, tokens};
