//! SQLite's bodies: a trigger ends at `; END ;`. `sqlite3_complete` uses the same rule.

use super::tracking::TrackWords;

#[derive(Default)]
pub(super) enum Trigger {
    #[default]
    First,
    /// After `EXPLAIN`.
    Explained,
    /// After `CREATE`.
    Created,
    /// After `CREATE TRIGGER`.
    Header,
    Body,
    /// After a semicolon in the body.
    Separated,
    /// After an `END` that may close the body.
    Ended,
}

impl Trigger {
    pub(super) fn word(&mut self, word: &str) -> TrackWords {
        *self = match (&*self, word) {
            (Self::First, "EXPLAIN") => Self::Explained,
            (Self::Explained, "QUERY" | "PLAN") => Self::Explained,
            (Self::First | Self::Explained, "CREATE") => Self::Created,
            (Self::Created, "TEMP" | "TEMPORARY") => Self::Created,
            (Self::Created, "TRIGGER") => Self::Header,
            (Self::First | Self::Explained | Self::Created, _) => return TrackWords::Off,
            (Self::Header, "BEGIN") => Self::Body,
            (Self::Header, _) => Self::Header,
            (Self::Separated, "END") => Self::Ended,
            (Self::Body | Self::Separated | Self::Ended, _) => Self::Body,
        };
        TrackWords::On
    }

    pub(super) fn token(&mut self) -> TrackWords {
        match self {
            Self::First | Self::Explained | Self::Created => return TrackWords::Off,
            Self::Separated | Self::Ended => *self = Self::Body,
            Self::Header | Self::Body => {}
        }
        TrackWords::On
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
