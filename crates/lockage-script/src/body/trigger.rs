//! SQLite: a trigger ends at `; END ;`, which is also how `sqlite3_complete` finds its end.

use super::Follow;

#[derive(Default)]
pub(super) enum Trigger {
    #[default]
    First,
    /// Behind `EXPLAIN`.
    Explained,
    /// Behind `CREATE`.
    Created,
    /// Behind `CREATE TRIGGER`.
    Header,
    Body,
    /// Behind a semicolon in the body.
    Separated,
    /// Behind an `END` that may close the body.
    Ended,
}

impl Trigger {
    pub(super) fn word(&mut self, word: &str) -> Follow {
        *self = match (&*self, word) {
            (Self::First, "EXPLAIN") => Self::Explained,
            (Self::Explained, "QUERY" | "PLAN") => Self::Explained,
            (Self::First | Self::Explained, "CREATE") => Self::Created,
            (Self::Created, "TEMP" | "TEMPORARY") => Self::Created,
            (Self::Created, "TRIGGER") => Self::Header,
            (Self::First | Self::Explained | Self::Created, _) => return Follow::Off,
            (Self::Header, "BEGIN") => Self::Body,
            (Self::Header, _) => Self::Header,
            (Self::Separated, "END") => Self::Ended,
            (Self::Body | Self::Separated | Self::Ended, _) => Self::Body,
        };
        Follow::On
    }

    pub(super) fn token(&mut self) -> Follow {
        match self {
            Self::First | Self::Explained | Self::Created => return Follow::Off,
            Self::Separated | Self::Ended => *self = Self::Body,
            Self::Header | Self::Body => {}
        }
        Follow::On
    }

    pub(super) fn semicolon(&mut self) -> bool {
        match self {
            Self::Body | Self::Separated => {
                *self = Self::Separated;
                false
            }
            _ => true,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        !matches!(self, Self::Body | Self::Separated)
    }
}
