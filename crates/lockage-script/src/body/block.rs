//! MySQL's compound statements, from the first word of the body on.
//!
//! `IF`, `REPEAT`, `END` and others are also functions, names or parts of expressions. They count only where a statement can start.

use super::handler::Handler;
use crate::lexer::Token;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Begin,
    If,
    CaseStatement,
    /// `CASE` in an expression, which ends with `END` alone.
    CaseExpression,
    Loop,
    Repeat,
    /// `REPEAT … UNTIL`, with an expression before the `END`.
    Until,
    /// `WHILE` or `FOR` before its `DO`.
    Condition,
}

/// The kind of the previous token.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Previous {
    /// An operator, or a keyword that an operand follows.
    #[default]
    Operator,
    Operand,
    Number,
    /// A dot or `AS`: a word after it is a name.
    Naming,
}

/// The open compound statements.
#[derive(Default)]
pub(super) struct Blocks {
    open: Vec<Block>,
    /// Whether a statement can start here.
    at_start: bool,
    /// Whether the previous token is the first of its statement, so that a colon makes it a label.
    label: bool,
    /// Whether a `CASE` here belongs to `END CASE`.
    end_case: bool,
    previous: Previous,
    handler: Handler,
}

impl Blocks {
    /// Begins a body: no block is open and a statement can start.
    pub(super) fn begin(&mut self) {
        let mut open = std::mem::take(&mut self.open);
        open.clear();
        *self = Self {
            open,
            at_start: true,
            ..Self::default()
        };
    }

    pub(super) fn is_closed(&self) -> bool {
        self.open.is_empty()
    }

    /// Returns whether the next word is the first of the body.
    pub(super) fn is_at_first_word(&self) -> bool {
        self.open.is_empty() && self.at_start
    }

    pub(super) fn semicolon(&mut self) {
        while let Some(Block::CaseExpression | Block::Condition) = self.open.last() {
            // No expression contains a semicolon: the statement is wrong, or `CASE` was a name.
            self.open.pop();
        }
        self.at_start = true;
        self.previous = Previous::Operator;
        self.handler = Handler::Outside;
    }

    pub(super) fn token(&mut self, token: Token) {
        self.handler.token(token);
        let label = std::mem::replace(&mut self.label, self.at_start && token == Token::Quoted);
        self.end_case = false;
        match token {
            Token::Punct(b'.') if self.previous != Previous::Number => {
                self.previous = Previous::Naming;
                return;
            }
            Token::Punct(b')' | b'?') | Token::Quoted => self.previous = Previous::Operand,
            Token::Punct(b'.') | Token::Number => self.previous = Previous::Number,
            _ => self.previous = Previous::Operator,
        }
        self.at_start = label && token == Token::Punct(b':');
    }

    pub(super) fn word(&mut self, word: &str) {
        if self.previous == Previous::Naming {
            self.previous = Previous::Operand;
            return;
        }
        let handled = self.handler.word(word);
        let start = std::mem::take(&mut self.at_start) || handled;
        let end_case = std::mem::take(&mut self.end_case);
        let operand = matches!(self.previous, Previous::Operand | Previous::Number);
        self.label = start;
        self.previous = match word {
            "AS" => Previous::Naming,
            "CASE" | "WHEN" | "THEN" | "ELSE" | "AND" | "OR" | "XOR" | "NOT" | "BETWEEN"
            | "LIKE" | "IN" => Previous::Operator,
            _ => Previous::Operand,
        };
        match (word, self.open.last().copied()) {
            ("END", Some(Block::CaseExpression | Block::Until)) if operand => self.close(),
            ("END", Some(_)) if start => self.close(),
            ("BEGIN", _) if start => self.open(Block::Begin),
            ("NOT" | "ATOMIC", Some(Block::Begin)) if start => self.at_start = true,
            ("LOOP", _) if start => self.open(Block::Loop),
            ("REPEAT", _) if start => self.open(Block::Repeat),
            ("UNTIL", Some(Block::Repeat)) if start => self.replace_innermost(Block::Until),
            ("IF", _) if start => self.open.push(Block::If),
            ("CASE", _) if end_case => {}
            ("CASE", _) if start => self.open.push(Block::CaseStatement),
            ("CASE", _) => self.open.push(Block::CaseExpression),
            ("THEN", Some(Block::If | Block::CaseStatement)) => self.at_start = true,
            ("ELSE", Some(Block::If | Block::CaseStatement)) if start => self.at_start = true,
            ("WHILE" | "FOR", _) if start => self.open.push(Block::Condition),
            ("DO", Some(Block::Condition)) => {
                self.replace_innermost(Block::Loop);
                self.at_start = true;
            }
            ("DECLARE", _) if start => self.handler = Handler::Declaration,
            _ => {}
        }
    }

    /// Opens a block in which a statement can start immediately.
    fn open(&mut self, block: Block) {
        self.open.push(block);
        self.at_start = true;
    }

    fn replace_innermost(&mut self, block: Block) {
        self.open.pop();
        self.open.push(block);
    }

    fn close(&mut self) {
        self.end_case = self.open.pop() == Some(Block::CaseStatement);
    }
}
