//! `DECLARE … HANDLER FOR condition, condition statement`: finds where the statement starts.

use super::super::lexer::Token;

#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handler {
    /// Not in a declaration.
    #[default]
    Outside,
    /// Behind `DECLARE`, which may declare something else.
    Declaration,
    /// Behind `HANDLER`, before `FOR`.
    Header,
    /// A condition is to come.
    Condition,
    /// Behind a condition: a comma or the statement follows.
    Complete,
}

impl Handler {
    /// Takes a word; true where it is the statement's first.
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
            (as_before, _) => as_before,
        };
        false
    }

    pub(super) fn token(&mut self, token: Token) {
        *self = match (*self, token) {
            (Self::Condition, Token::Quoted | Token::Number) => Self::Complete,
            (Self::Complete, Token::Punct(b',')) => Self::Condition,
            (as_before, _) => as_before,
        };
    }
}
