//! MySQL and MariaDB: from a statement's first word to where its body starts.

use super::super::lexer::Token;
use super::Follow;
use super::block::Blocks;

#[derive(Default)]
pub(super) struct Routine {
    stage: Stage,
    blocks: Blocks,
    /// Open parentheses in the header.
    parentheses: u64,
    before: Before,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    First,
    /// Behind a first `BEGIN`: a transaction, unless `NOT ATOMIC` follows.
    Begun,
    /// Behind `CREATE`, before what is created.
    Created,
    /// Behind `ALTER`.
    Altered,
    /// Behind `PROCEDURE` or `FUNCTION`, or `LIBRARY`, whose code is a literal, up to the end of the parameters.
    Parameters,
    /// Between the parameters and the body.
    Characteristics,
    /// Behind `TRIGGER`, up to `EACH ROW`.
    Trigger,
    /// Behind a trigger's `FOLLOWS` or `PRECEDES`.
    Order,
    /// Behind `EVENT`, up to `DO`.
    Event,
    Body,
}

/// What the token before was, as far as the header asks.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Before {
    #[default]
    Other,
    /// `=` or a dot, which a part of the definer's name follows.
    Definer,
    /// `EACH`, before `ROW`.
    Each,
    /// A word that `SET` belongs to: `CHARACTER SET`, `RETURNS SET(…)`.
    Set,
}

impl Routine {
    pub(super) fn begin(&mut self) {
        self.stage = Stage::First;
        self.parentheses = 0;
        self.before = Before::Other;
        self.blocks.begin();
    }

    pub(super) fn word(&mut self, word: &str) -> Follow {
        let before = std::mem::replace(
            &mut self.before,
            match word {
                "EACH" => Before::Each,
                "CHARACTER" | "CHAR" | "RETURNS" => Before::Set,
                _ => Before::Other,
            },
        );
        match (self.stage, word) {
            (Stage::First, "CREATE") => self.stage = Stage::Created,
            (Stage::First, "ALTER") => self.stage = Stage::Altered,
            (Stage::First, "BEGIN") => self.stage = Stage::Begun,
            (Stage::First, "IF" | "CASE" | "LOOP" | "REPEAT" | "WHILE" | "FOR") => self.body(word),
            (Stage::First, _) => return Follow::Off,
            (Stage::Begun, "NOT") => {
                self.body("BEGIN");
                self.blocks.word(word);
            }
            (Stage::Begun, _) => return Follow::Off,
            (Stage::Created | Stage::Altered, "EVENT") if before != Before::Definer => {
                self.stage = Stage::Event;
            }
            (Stage::Created, "PROCEDURE" | "FUNCTION" | "LIBRARY") if before != Before::Definer => {
                self.stage = Stage::Parameters;
            }
            (Stage::Created, "TRIGGER") if before != Before::Definer => self.stage = Stage::Trigger,
            (Stage::Created | Stage::Altered, "OR" | "REPLACE" | "DEFINER" | "AGGREGATE") => {}
            (Stage::Created | Stage::Altered, _) => {
                let definer = before == Before::Definer || word.starts_with('@');
                if !definer {
                    return Follow::Off;
                }
            }
            (Stage::Trigger, "ROW") if before == Before::Each => self.stage = Stage::Body,
            (Stage::Event, "DO") => self.stage = Stage::Body,
            (Stage::Characteristics, "SET") if before == Before::Set => {}
            (Stage::Characteristics, _) if starts_statement(word) => self.body(word),
            (Stage::Parameters | Stage::Characteristics | Stage::Trigger | Stage::Event, _) => {}
            (Stage::Order, _) => self.stage = Stage::Body,
            (Stage::Body, "FOLLOWS" | "PRECEDES") if self.blocks.is_fresh() => {
                self.stage = Stage::Order;
            }
            (Stage::Body, _) => self.blocks.word(word),
        }
        Follow::On
    }

    pub(super) fn token(&mut self, token: Token) -> Follow {
        self.before = match token {
            Token::Punct(b'=' | b'.') => Before::Definer,
            Token::CodeOpen | Token::CodeClose => self.before,
            _ => Before::Other,
        };
        match (self.stage, token) {
            // The code inside counts, not the comment around it.
            (_, Token::CodeOpen | Token::CodeClose) => {}
            (Stage::First | Stage::Begun, _) => return Follow::Off,
            (Stage::Parameters, Token::Punct(b'(')) => self.parentheses += 1,
            (Stage::Parameters, Token::Punct(b')')) => {
                self.parentheses = self.parentheses.saturating_sub(1);
                if self.parentheses == 0 {
                    self.stage = Stage::Characteristics;
                }
            }
            (Stage::Order, Token::Quoted) => self.stage = Stage::Body,
            (Stage::Body, _) => self.blocks.token(token),
            _ => {}
        }
        Follow::On
    }

    pub(super) fn semicolon(&mut self) -> bool {
        self.blocks.semicolon();
        self.blocks.is_closed()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.blocks.is_closed()
    }

    fn body(&mut self, word: &str) {
        self.stage = Stage::Body;
        self.blocks.word(word);
    }
}

/// Whether a word behind the parameters is the body's first, not one of the routine's characteristics.
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
