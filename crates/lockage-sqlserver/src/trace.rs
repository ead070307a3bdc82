//! What a batch of a script leaves in the session, as far as it concerns our own statements.

use lockage_core::{Error, ErrorKind};
use lockage_sql::script::{SQLSERVER, tokens};

/// What must be put right before a statement of ours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    /// It may stand in another database.
    pub(crate) moves: bool,
    /// It may have taken another user's rights.
    pub(crate) impersonates: bool,
    /// It may have set something by which our statements run otherwise.
    pub(crate) sets: bool,
    /// It may have said that what follows is not to run.
    pub(crate) stops: bool,
}

impl Trace {
    /// Looks at a batch.
    pub(crate) fn of(batch: &str) -> Self {
        let mut trace = Self::default();
        let mut before = "";
        for token in tokens(batch, &SQLSERVER) {
            let is = |word: &str| token.eq_ignore_ascii_case(word);
            trace.moves |= is("USE");
            trace.sets |= is("SET");
            trace.stops |= is("NOEXEC") || is("PARSEONLY") || is("FMTONLY");
            trace.impersonates |= is("AS")
                && (before.eq_ignore_ascii_case("EXECUTE") || before.eq_ignore_ascii_case("EXEC"));
            before = token;
        }
        trace
    }

    /// Adds what another batch left.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            moves: self.moves || other.moves,
            impersonates: self.impersonates || other.impersonates,
            sets: self.sets || other.sets,
            stops: self.stops || other.stops,
        }
    }
}

/// What a batch outside a transaction may not do: its rows would be written in between, and the rest of the script run.
pub(crate) fn refuse(batch: &str) -> Option<Error> {
    Trace::of(batch).stops.then(|| {
        Error::new(
            ErrorKind::InvalidMigration,
            "SET NOEXEC, PARSEONLY or FMTONLY in a migration without a transaction",
        )
        .with_hint(
            "leave it out: what is not to run is left out of the file, or stands behind an IF",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_batch_leaves_is_seen() {
        let none = Trace::default();
        assert_eq!(Trace::of("SELECT 'USE x' -- SET NOEXEC ON"), none);
        assert!(Trace::of("use other").moves);
        assert!(Trace::of("SET NOEXEC ON").stops);
        assert!(Trace::of("SET XACT_ABORT OFF").sets);
        assert!(Trace::of("EXECUTE /* */ AS USER = 'x'").impersonates);
        assert!(!Trace::of("SELECT 1 AS x").impersonates);
        assert!(refuse("SET PARSEONLY ON").is_some());
        assert!(refuse("SET NOCOUNT ON").is_none());
    }
}
