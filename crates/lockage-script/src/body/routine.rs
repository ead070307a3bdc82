//! MySQL's bodies: from the first word of a statement to the start of its body.

use super::block::Blocks;
use super::tracking::TrackWords;
use crate::lexer::Token;

#[derive(Default)]
pub(super) struct Routine {
    state: State,
    blocks: Blocks,
    /// The number of open parentheses in the header.
    parentheses: u64,
    previous: Previous,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    First,
    /// After `BEGIN` as the first word: a transaction, unless `NOT ATOMIC` follows.
    AfterBegin,
    /// After `CREATE`, before the kind of object.
    Created,
    /// After `ALTER`.
    Altered,
    /// From `PROCEDURE`, `FUNCTION` or `LIBRARY` (whose code is a literal) to the end of the parameters.
    Parameters,
    /// Between the parameters and the body.
    Characteristics,
    /// From `TRIGGER` to `EACH ROW`.
    Trigger,
    /// After `FOLLOWS` or `PRECEDES` in a trigger.
    Order,
    /// From `EVENT` to `DO`.
    Event,
    Body,
}

/// The kind of the previous token in the header.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Previous {
    #[default]
    Other,
    /// `=` or a dot: a part of the definer's name follows.
    Definer,
    /// `EACH`, before `ROW`.
    Each,
    /// A word to which a following `SET` belongs: `CHARACTER SET`, `RETURNS SET(…)`.
    Set,
}

impl Routine {
    pub(super) fn begin(&mut self) {
        self.state = State::First;
        self.parentheses = 0;
        self.previous = Previous::Other;
        self.blocks.begin();
    }

    pub(super) fn word(&mut self, word: &str) -> TrackWords {
        let previous = std::mem::replace(
            &mut self.previous,
            match word {
                "EACH" => Previous::Each,
                "CHARACTER" | "CHAR" | "RETURNS" => Previous::Set,
                _ => Previous::Other,
            },
        );
        match (self.state, word) {
            (State::First, "CREATE") => self.state = State::Created,
            (State::First, "ALTER") => self.state = State::Altered,
            (State::First, "BEGIN") => self.state = State::AfterBegin,
            (State::First, "IF" | "CASE" | "LOOP" | "REPEAT" | "WHILE" | "FOR") => {
                self.begin_body(word)
            }
            (State::First, _) => return TrackWords::Off,
            (State::AfterBegin, "NOT") => {
                self.begin_body("BEGIN");
                self.blocks.word(word);
            }
            (State::AfterBegin, _) => return TrackWords::Off,
            (State::Created | State::Altered, "EVENT") if previous != Previous::Definer => {
                self.state = State::Event;
            }
            (State::Created, "PROCEDURE" | "FUNCTION" | "LIBRARY")
                if previous != Previous::Definer =>
            {
                self.state = State::Parameters;
            }
            (State::Created, "TRIGGER") if previous != Previous::Definer => {
                self.state = State::Trigger
            }
            (State::Created | State::Altered, "OR" | "REPLACE" | "DEFINER" | "AGGREGATE") => {}
            (State::Created | State::Altered, _) => {
                let definer = previous == Previous::Definer || word.starts_with('@');
                if !definer {
                    return TrackWords::Off;
                }
            }
            (State::Trigger, "ROW") if previous == Previous::Each => self.state = State::Body,
            (State::Event, "DO") => self.state = State::Body,
            (State::Characteristics, "SET") if previous == Previous::Set => {}
            (State::Characteristics, _) if starts_statement(word) => self.begin_body(word),
            (State::Parameters | State::Characteristics | State::Trigger | State::Event, _) => {}
            (State::Order, _) => self.state = State::Body,
            (State::Body, "FOLLOWS" | "PRECEDES") if self.blocks.is_at_first_word() => {
                self.state = State::Order;
            }
            (State::Body, _) => self.blocks.word(word),
        }
        TrackWords::On
    }

    pub(super) fn token(&mut self, token: Token) -> TrackWords {
        self.previous = match token {
            Token::Punct(b'=' | b'.') => Previous::Definer,
            Token::CodeOpen | Token::CodeClose => self.previous,
            _ => Previous::Other,
        };
        match (self.state, token) {
            // Only the code inside the comment counts.
            (_, Token::CodeOpen | Token::CodeClose) => {}
            (State::First | State::AfterBegin, _) => return TrackWords::Off,
            (State::Parameters, Token::Punct(b'(')) => self.parentheses += 1,
            (State::Parameters, Token::Punct(b')')) => {
                self.parentheses = self.parentheses.saturating_sub(1);
                if self.parentheses == 0 {
                    self.state = State::Characteristics;
                }
            }
            (State::Order, Token::Quoted) => self.state = State::Body,
            (State::Body, _) => self.blocks.token(token),
            _ => {}
        }
        TrackWords::On
    }

    pub(super) fn semicolon(&mut self) -> bool {
        self.blocks.semicolon();
        self.blocks.is_closed()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.blocks.is_closed()
    }

    fn begin_body(&mut self, word: &str) {
        self.state = State::Body;
        self.blocks.word(word);
    }
}

/// Returns whether a word after the parameters is the first of the body, not a characteristic of the routine.
// Long because it is a list of the words that can start a statement.
fn starts_statement(word: &str) -> bool {
    matches!(
        word,
        "ALTER"
            | "ANALYZE"
            | "BEGIN"
            | "BINLOG"
            | "CACHE"
            | "CALL"
            | "CASE"
            | "CHANGE"
            | "CHECK"
            | "CHECKSUM"
            | "COMMIT"
            | "CREATE"
            | "DEALLOCATE"
            | "DELETE"
            | "DESC"
            | "DESCRIBE"
            | "DO"
            | "DROP"
            | "EXECUTE"
            | "EXPLAIN"
            | "FLUSH"
            | "FOR"
            | "GET"
            | "GRANT"
            | "HANDLER"
            | "IF"
            | "INSERT"
            | "INSTALL"
            | "KILL"
            | "LOAD"
            | "LOCK"
            | "LOOP"
            | "OPTIMIZE"
            | "PREPARE"
            | "PURGE"
            | "RELEASE"
            | "RENAME"
            | "REPAIR"
            | "REPEAT"
            | "REPLACE"
            | "RESET"
            | "RESIGNAL"
            | "RETURN"
            | "REVOKE"
            | "ROLLBACK"
            | "SAVEPOINT"
            | "SELECT"
            | "SET"
            | "SHOW"
            | "SIGNAL"
            | "START"
            | "STOP"
            | "TRUNCATE"
            | "UNINSTALL"
            | "UNLOCK"
            | "UPDATE"
            | "VALUES"
            | "WHILE"
            | "WITH"
            | "XA"
    )
}
