//! Statements that contain other statements, so that some semicolons do not end them.

mod atomic;
mod block;
mod handler;
mod keyword;
mod routine;
mod tracking;
mod trigger;

use self::atomic::Atomic;
use self::keyword::Keyword;
use self::routine::Routine;
use self::tracking::TrackWords;
use self::trigger::Trigger;
use crate::lexer::Token;
use crate::syntax::Bodies;

/// Reads the tokens of one statement and decides which semicolons end it.
pub(crate) struct Body {
    /// Whether the tokens of this statement matter. The first word of most statements rules a body out.
    tracked: bool,
    rules: BodyRules,
}

enum BodyRules {
    None,
    Trigger(Trigger),
    Atomic(Atomic),
    Routine(Routine),
}

impl Body {
    pub(crate) fn new(bodies: Bodies) -> Self {
        Self {
            tracked: true,
            rules: match bodies {
                Bodies::None => BodyRules::None,
                Bodies::Triggers => BodyRules::Trigger(Trigger::default()),
                Bodies::Atomic => BodyRules::Atomic(Atomic::default()),
                Bodies::Routines => BodyRules::Routine(Routine::default()),
            },
        }
    }

    /// Begins a statement. `track` is false if semicolons do not end statements now.
    pub(crate) fn begin(&mut self, track: bool) {
        self.tracked = track;
        match &mut self.rules {
            BodyRules::None => self.tracked = false,
            BodyRules::Trigger(rule) => *rule = Trigger::default(),
            BodyRules::Atomic(rule) => *rule = Atomic::default(),
            BodyRules::Routine(rule) => rule.begin(),
        }
    }

    /// Returns whether the tokens of this statement still matter.
    #[inline]
    pub(crate) fn tracks_words(&self) -> bool {
        self.tracked
    }

    /// Reads a word.
    pub(crate) fn word(&mut self, word: &[u8]) {
        let keyword = Keyword::new(word);
        let word = keyword.as_str();
        let track = match &mut self.rules {
            BodyRules::None => TrackWords::Off,
            BodyRules::Trigger(rule) => rule.word(word),
            BodyRules::Atomic(rule) => rule.word(word),
            BodyRules::Routine(rule) => rule.word(word),
        };
        self.tracked = track == TrackWords::On;
    }

    /// Reads a significant token other than a word or a semicolon.
    pub(crate) fn token(&mut self, token: Token) {
        if !self.tracked {
            return;
        }
        let track = match &mut self.rules {
            BodyRules::None => TrackWords::Off,
            BodyRules::Trigger(rule) => rule.token(),
            BodyRules::Atomic(rule) => rule.token(token),
            BodyRules::Routine(rule) => rule.token(token),
        };
        self.tracked = track == TrackWords::On;
    }

    /// Reads a semicolon. Returns whether it ends the statement.
    pub(crate) fn semicolon(&mut self) -> bool {
        if !self.tracked {
            return true;
        }
        match &mut self.rules {
            BodyRules::None => true,
            BodyRules::Trigger(rule) => rule.semicolon(),
            BodyRules::Atomic(rule) => rule.is_closed(),
            BodyRules::Routine(rule) => rule.semicolon(),
        }
    }

    /// Returns whether the statement is complete without another `END`.
    pub(crate) fn is_closed(&self) -> bool {
        if !self.tracked {
            return true;
        }
        match &self.rules {
            BodyRules::None => true,
            BodyRules::Trigger(rule) => rule.is_closed(),
            BodyRules::Atomic(rule) => rule.is_closed(),
            BodyRules::Routine(rule) => rule.is_closed(),
        }
    }
}
