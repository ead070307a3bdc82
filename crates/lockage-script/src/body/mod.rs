//! Statements that hold others, so that not every semicolon ends them.

mod atomic;
mod block;
mod handler;
mod keyword;
mod routine;
mod trigger;

use self::atomic::Atomic;
use self::keyword::Keyword;
use self::routine::Routine;
use self::trigger::Trigger;
use super::lexer::Token;
use super::syntax::Bodies;

/// Follows one statement, token by token, and says which semicolons end it.
pub(super) struct Body {
    /// Most statements can hold nothing, which their first word shows.
    followed: bool,
    rules: Rules,
}

enum Rules {
    None,
    Trigger(Trigger),
    Atomic(Atomic),
    Routine(Routine),
}

/// What a rule makes of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Follow {
    On,
    /// The statement holds no others.
    Off,
}

impl Body {
    pub(super) fn new(bodies: Bodies) -> Self {
        Self {
            followed: true,
            rules: match bodies {
                Bodies::None => Rules::None,
                Bodies::Triggers => Rules::Trigger(Trigger::default()),
                Bodies::Atomic => Rules::Atomic(Atomic::default()),
                Bodies::Routines => Rules::Routine(Routine::default()),
            },
        }
    }

    /// A statement begins; `follow` is false where semicolons do not end it anyway.
    pub(super) fn begin(&mut self, follow: bool) {
        self.followed = follow;
        match &mut self.rules {
            Rules::None => self.followed = false,
            Rules::Trigger(rule) => *rule = Trigger::default(),
            Rules::Atomic(rule) => *rule = Atomic::default(),
            Rules::Routine(rule) => rule.begin(),
        }
    }

    /// Whether tokens still matter.
    #[inline]
    pub(super) fn follows(&self) -> bool {
        self.followed
    }

    pub(super) fn word(&mut self, word: &[u8]) {
        let keyword = Keyword::new(word);
        let word = keyword.as_str();
        let follow = match &mut self.rules {
            Rules::None => Follow::Off,
            Rules::Trigger(rule) => rule.word(word),
            Rules::Atomic(rule) => rule.word(word),
            Rules::Routine(rule) => rule.word(word),
        };
        self.followed = follow == Follow::On;
    }

    /// Takes a significant token other than a word or a semicolon.
    pub(super) fn token(&mut self, token: Token) {
        if !self.followed {
            return;
        }
        let follow = match &mut self.rules {
            Rules::None => Follow::Off,
            Rules::Trigger(rule) => rule.token(),
            Rules::Atomic(rule) => rule.token(token),
            Rules::Routine(rule) => rule.token(token),
        };
        self.followed = follow == Follow::On;
    }

    /// Takes a semicolon; true where it ends the statement.
    pub(super) fn semicolon(&mut self) -> bool {
        if !self.followed {
            return true;
        }
        match &mut self.rules {
            Rules::None => true,
            Rules::Trigger(rule) => rule.semicolon(),
            Rules::Atomic(rule) => rule.is_closed(),
            Rules::Routine(rule) => rule.semicolon(),
        }
    }

    /// Whether the statement would be complete without another `END`.
    pub(super) fn is_closed(&self) -> bool {
        if !self.followed {
            return true;
        }
        match &self.rules {
            Rules::None => true,
            Rules::Trigger(rule) => rule.is_closed(),
            Rules::Atomic(rule) => rule.is_closed(),
            Rules::Routine(rule) => rule.is_closed(),
        }
    }
}
