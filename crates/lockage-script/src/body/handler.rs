//! `DECLARE … HANDLER FOR condition, condition statement`: finds where the statement starts.

use crate::lexer::Token;

#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handler {
    /// Not in a declaration.
    #[default]
    Outside,
    /// After `DECLARE`, before it is known what it declares.
    Declaration,
    /// Between `HANDLER` and `FOR`.
    Header,
    /// Before a condition.
    Condition,
    /// After a condition: a comma or the statement follows.
    Complete,
}

impl Handler {
    /// Reads a word. Returns whether it is the first word of the handler's statement.
    pub(super) fn word(&mut self, word: &str) -> bool {
        *self = match (*self, word) {
            (Self::Declaration, "HANDLER") => Self::Header,
            (Self::Header, "FOR") => Self::Condition,
            (Self::Condition, "NOT" | "SQLSTATE" | "VALUE") => Self::Condition,
            (Self::Condition, _) => Self::Complete,
            (Self::Complete, _) => {
                *self = Self::Outside;
                return true;
            }
            (unchanged, _) => unchanged,
        };
        false
    }

    pub(super) fn token(&mut self, token: Token) {
        *self = match (*self, token) {
            (Self::Condition, Token::Quoted | Token::Number) => Self::Complete,
            (Self::Complete, Token::Punct(b',')) => Self::Condition,
            (unchanged, _) => unchanged,
        };
    }
}
