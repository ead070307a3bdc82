//! PostgreSQL: `CREATE FUNCTION … BEGIN ATOMIC …; END`.

use super::super::lexer::Token;
use super::Follow;

#[derive(Default)]
pub(super) struct Atomic {
    stage: Stage,
    /// Open `BEGIN ATOMIC` and `CASE`.
    depth: u64,
    /// The next word is a name: it stands behind a dot or `AS`.
    named: bool,
}

#[derive(Default, Clone, Copy)]
enum Stage {
    #[default]
    First,
    /// Behind `CREATE`.
    Created,
    /// Behind `FUNCTION` or `PROCEDURE`.
    Header,
    /// Behind `BEGIN` in the header.
    Begun,
    Body,
}

impl Atomic {
    pub(super) fn word(&mut self, word: &str) -> Follow {
        let named = std::mem::replace(&mut self.named, word == "AS");
        match (self.stage, word) {
            (Stage::First, "CREATE") => self.stage = Stage::Created,
            (Stage::Created, "OR" | "REPLACE") => {}
            (Stage::Created, "FUNCTION" | "PROCEDURE") => self.stage = Stage::Header,
            (Stage::First | Stage::Created, _) => return Follow::Off,
            (Stage::Header | Stage::Begun, "BEGIN") if !named => self.stage = Stage::Begun,
            (Stage::Begun, "ATOMIC") => {
                self.stage = Stage::Body;
                self.depth = 1;
            }
            (Stage::Begun, _) => self.stage = Stage::Header,
            (Stage::Body, "CASE") if !named && self.depth > 0 => self.depth += 1,
            (Stage::Body, "END") if !named => self.depth = self.depth.saturating_sub(1),
            (Stage::Header | Stage::Body, _) => {}
        }
        Follow::On
    }

    pub(super) fn token(&mut self, token: Token) -> Follow {
        self.named = token == Token::Punct(b'.');
        match self.stage {
            Stage::First | Stage::Created => return Follow::Off,
            Stage::Begun => self.stage = Stage::Header,
            Stage::Header | Stage::Body => {}
        }
        Follow::On
    }

    pub(super) fn is_closed(&self) -> bool {
        self.depth == 0
    }
}
