//! Finds in a batch of a script the session changes that internal statements must undo.

use lockage_core::{Error, ErrorKind, Result};
use lockage_sql::script::{SQLSERVER, tokens};

/// Changes that batches of a script may have made to the session. Each is undone before an internal statement runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SessionEffects {
    /// `USE`: the session may be in another database.
    pub(crate) changes_database: bool,
    /// `EXECUTE AS`: the session may have the permissions of another user.
    pub(crate) impersonates: bool,
    /// `SET`: an option may change how internal statements run.
    pub(crate) sets_options: bool,
    /// `NOEXEC`, `PARSEONLY` or `FMTONLY`: the server may not run later batches.
    pub(crate) disables_execution: bool,
}

impl SessionEffects {
    /// Scans the tokens of a batch.
    pub(crate) fn scan(batch: &str) -> Self {
        let mut effects = Self::default();
        let mut previous = "";
        for token in tokens(batch, &SQLSERVER) {
            let is = |word: &str| token.eq_ignore_ascii_case(word);
            effects.changes_database |= is("USE");
            effects.sets_options |= is("SET");
            effects.disables_execution |= is("NOEXEC") || is("PARSEONLY") || is("FMTONLY");
            effects.impersonates |= is("AS")
                && (previous.eq_ignore_ascii_case("EXECUTE")
                    || previous.eq_ignore_ascii_case("EXEC"));
            previous = token;
        }
        effects
    }

    /// Adds the effects of another batch.
    #[must_use]
    pub(crate) fn merge(self, other: Self) -> Self {
        Self {
            changes_database: self.changes_database || other.changes_database,
            impersonates: self.impersonates || other.impersonates,
            sets_options: self.sets_options || other.sets_options,
            disables_execution: self.disables_execution || other.disables_execution,
        }
    }
}

/// Rejects a batch outside a transaction that disables execution. The journal rows between its batches turn execution on
/// again, so the rest of the script would run.
pub(crate) fn check(batch: &str) -> Result<()> {
    if !SessionEffects::scan(batch).disables_execution {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidMigration,
        "SET NOEXEC, PARSEONLY or FMTONLY in a migration without a transaction",
    )
    .with_hint("remove it; use IF to skip statements"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_effects_of_batches_are_recognized() {
        let none = SessionEffects::default();
        let scan = SessionEffects::scan;
        assert_eq!(scan("SELECT 'USE x' -- SET NOEXEC ON"), none);
        assert!(scan("use other").changes_database);
        assert!(scan("SET NOEXEC ON").disables_execution);
        assert!(scan("SET XACT_ABORT OFF").sets_options);
        assert!(scan("EXECUTE /* */ AS USER = 'x'").impersonates);
        assert!(!scan("SELECT 1 AS x").impersonates);
        assert!(check("SET PARSEONLY ON").is_err());
        assert!(check("SET NOCOUNT ON").is_ok());
    }
}
