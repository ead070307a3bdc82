//! Statements that a migration cannot have.

use lockage_core::{Error, ErrorKind};

use super::cursor::Cursor;

/// Words, why a statement that starts with them cannot run, and what to do.
const REFUSED: &[(&[&str], &str, &str)] = &[
    (
        &["LOCK", "TABLE"],
        "LOCK TABLES keeps the journal from being written",
        "leave it out: nobody else migrates meanwhile; an ALTER TABLE or one transaction does what it was for",
    ),
    (
        &["LOCK", "TABLES"],
        "LOCK TABLES keeps the journal from being written",
        "leave LOCK TABLES and UNLOCK TABLES out, as mysqldump --skip-add-locks does",
    ),
    (
        &["LOCK", "INSTANCE"],
        "LOCK INSTANCE keeps the journal from being written",
        "leave it out",
    ),
    (
        &["XA"],
        "an XA transaction has no room for the journal",
        "use START TRANSACTION and COMMIT",
    ),
];

/// Why a statement cannot stand in a migration; `None` where it can.
pub(crate) fn refuse(text: &str) -> Option<Error> {
    let mut at = Cursor::new(text);
    let found = REFUSED.iter().find(|(words, ..)| at.sees(words));
    if let Some((_, what, hint)) = found {
        return Some(Error::new(ErrorKind::InvalidMigration, *what).with_hint(*hint));
    }
    let global_lock = at.sees(&["FLUSH"]) && at.holds("READ") && at.holds("LOCK");
    if global_lock {
        let what = "FLUSH TABLES WITH READ LOCK keeps the journal from being written";
        return Some(Error::new(ErrorKind::InvalidMigration, what).with_hint("leave it out"));
    }
    let loads = at.takes(&["LOAD", "DATA"]) || at.takes(&["LOAD", "XML"]);
    at.takes_any(&["LOW_PRIORITY", "CONCURRENT"]);
    (loads && at.sees(&["LOCAL"])).then(|| {
        Error::new(
            ErrorKind::InvalidMigration,
            "LOAD … LOCAL reads a file of this machine; that is refused",
        )
        .with_hint("use INSERT, or LOAD DATA without LOCAL")
    })
}
