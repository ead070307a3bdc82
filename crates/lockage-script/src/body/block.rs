//! MySQL's compound statements, from the body's first word on.
//!
//! `IF`, `REPEAT`, `END` and others are also functions, names or parts of expressions; they count only where a statement
//! can start.

use super::super::lexer::Token;
use super::handler::Handler;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Begin,
    If,
    CaseStatement,
    /// `CASE` in an expression, which ends with a plain `END`.
    CaseExpression,
    Loop,
    Repeat,
    /// `REPEAT … UNTIL`, where an expression stands before the `END`.
    Until,
    /// `WHILE` or `FOR` before its `DO`.
    Condition,
}

/// What the token before was.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// An operator, or a keyword that an operand follows.
    #[default]
    Operator,
    Operand,
    Number,
    /// A dot or `AS`: a word behind it is a name.
    Naming,
}

/// The compound statements that are open.
#[derive(Default)]
pub(super) struct Blocks {
    open: Vec<Block>,
    /// Whether a statement can start here.
    at_start: bool,
    /// Whether the token before is the first of its statement, so that a colon makes it a label.
    label: bool,
    /// Whether a `CASE` here belongs to `END CASE`.
    end_case: bool,
    before: Before,
    handler: Handler,
}

impl Blocks {
    /// A body starts: nothing is open and a statement can start.
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

    /// Whether the next word would be the body's first.
    pub(super) fn is_fresh(&self) -> bool {
        self.open.is_empty() && self.at_start
    }

    pub(super) fn semicolon(&mut self) {
        while let Some(Block::CaseExpression | Block::Condition) = self.open.last() {
            // No expression reaches over a semicolon: the statement is wrong, or `CASE` was a name.
            self.open.pop();
        }
        self.at_start = true;
        self.before = Before::Operator;
        self.handler = Handler::Outside;
    }

    pub(super) fn token(&mut self, token: Token) {
        self.handler.token(token);
        let label = std::mem::replace(&mut self.label, self.at_start && token == Token::Quoted);
        self.end_case = false;
        match token {
            Token::Punct(b'.') if self.before != Before::Number => {
                self.before = Before::Naming;
                return;
            }
            Token::Punct(b')' | b'?') | Token::Quoted => self.before = Before::Operand,
            Token::Punct(b'.') | Token::Number => self.before = Before::Number,
            _ => self.before = Before::Operator,
        }
        self.at_start = label && token == Token::Punct(b':');
    }

    pub(super) fn word(&mut self, word: &str) {
        if self.before == Before::Naming {
            self.before = Before::Operand;
            return;
        }
        let handled = self.handler.word(word);
        let start = std::mem::take(&mut self.at_start) || handled;
        let end_case = std::mem::take(&mut self.end_case);
        let operand = matches!(self.before, Before::Operand | Before::Number);
        self.label = start;
        self.before = match word {
            "AS" => Before::Naming,
            "CASE" | "WHEN" | "THEN" | "ELSE" | "AND" | "OR" | "XOR" | "NOT" | "BETWEEN"
            | "LIKE" | "IN" => Before::Operator,
            _ => Before::Operand,
        };
        match (word, self.open.last().copied()) {
            ("END", Some(Block::CaseExpression | Block::Until)) if operand => self.close(),
            ("END", Some(_)) if start => self.close(),
            ("BEGIN", _) if start => self.open(Block::Begin),
            ("NOT" | "ATOMIC", Some(Block::Begin)) if start => self.at_start = true,
            ("LOOP", _) if start => self.open(Block::Loop),
            ("REPEAT", _) if start => self.open(Block::Repeat),
            ("UNTIL", Some(Block::Repeat)) if start => self.turn_into(Block::Until),
            ("IF", _) if start => self.open.push(Block::If),
            ("CASE", _) if end_case => {}
            ("CASE", _) if start => self.open.push(Block::CaseStatement),
            ("CASE", _) => self.open.push(Block::CaseExpression),
            ("THEN", Some(Block::If | Block::CaseStatement)) => self.at_start = true,
            ("ELSE", Some(Block::If | Block::CaseStatement)) if start => self.at_start = true,
            ("WHILE" | "FOR", _) if start => self.open.push(Block::Condition),
            ("DO", Some(Block::Condition)) => {
                self.turn_into(Block::Loop);
                self.at_start = true;
            }
            ("DECLARE", _) if start => self.handler = Handler::Declaration,
            _ => {}
        }
    }

    /// Opens a block whose statements follow at once.
    fn open(&mut self, block: Block) {
        self.open.push(block);
        self.at_start = true;
    }

    fn turn_into(&mut self, block: Block) {
        self.open.pop();
        self.open.push(block);
    }

    fn close(&mut self) {
        self.end_case = self.open.pop() == Some(Block::CaseStatement);
    }
}
