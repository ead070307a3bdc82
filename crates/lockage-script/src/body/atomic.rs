//! PostgreSQL's bodies: `CREATE FUNCTION … BEGIN ATOMIC …; END`.

use super::tracking::TrackWords;
use crate::lexer::Token;

#[derive(Default)]
pub(super) struct Atomic {
    state: State,
    /// The number of open `BEGIN ATOMIC` and `CASE`.
    depth: u64,
    /// Whether the next word is a name, because a dot or `AS` precedes it.
    named: bool,
}

#[derive(Default, Clone, Copy)]
enum State {
    #[default]
    First,
    /// After `CREATE`.
    Created,
    /// After `FUNCTION` or `PROCEDURE`.
    Header,
    /// After `BEGIN` in the header.
    AfterBegin,
    Body,
}

impl Atomic {
    pub(super) fn word(&mut self, word: &str) -> TrackWords {
        let named = std::mem::replace(&mut self.named, word == "AS");
        match (self.state, word) {
            (State::First, "CREATE") => self.state = State::Created,
            (State::Created, "OR" | "REPLACE") => {}
            (State::Created, "FUNCTION" | "PROCEDURE") => self.state = State::Header,
            (State::First | State::Created, _) => return TrackWords::Off,
            (State::Header | State::AfterBegin, "BEGIN") if !named => {
                self.state = State::AfterBegin
            }
            (State::AfterBegin, "ATOMIC") => {
                self.state = State::Body;
                self.depth = 1;
            }
            (State::AfterBegin, _) => self.state = State::Header,
            (State::Body, "CASE") if !named && self.depth > 0 => self.depth += 1,
            (State::Body, "END") if !named => self.depth = self.depth.saturating_sub(1),
            (State::Header | State::Body, _) => {}
        }
        TrackWords::On
    }

    pub(super) fn token(&mut self, token: Token) -> TrackWords {
        self.named = token == Token::Punct(b'.');
        match self.state {
            State::First | State::Created => return TrackWords::Off,
            State::AfterBegin => self.state = State::Header,
            State::Header | State::Body => {}
        }
        TrackWords::On
    }

    pub(super) fn is_closed(&self) -> bool {
        self.depth == 0
    }
}
