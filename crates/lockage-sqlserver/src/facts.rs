//! What a session is and what its server can: asked in the first batch, so that it costs no round trip.

use lockage_core::{Error, ErrorKind, Result};
use lockage_sql::Row;

/// Answered by every server that speaks the protocol.
pub(crate) const QUESTIONS: &str = "SELECT CONVERT(NVARCHAR(20), @@SPID), DB_NAME(), CONVERT(NVARCHAR(128), SERVERPROPERTY('ProductVersion')), \
     CONVERT(NVARCHAR(20), SERVERPROPERTY('Babelfish'))";

/// The oldest version, 2016, that gives a transaction a number.
const NUMBERS_TRANSACTIONS: u32 = 13;

/// What the server said of itself and of the session.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// The session's number.
    pub(crate) session: String,
    /// The database in which the session began.
    pub(crate) database: String,
    /// Whether it is Babelfish, which says so.
    pub(crate) babelfish: bool,
    /// SQL that tells one transaction from another.
    pub(crate) transaction: &'static str,
}

impl Facts {
    /// Reads the answer to [`QUESTIONS`].
    pub(crate) fn read(row: Option<&Row>) -> Result<Self> {
        let known = row.and_then(|row| {
            let [session, database, version, babelfish] = row.as_slice() else {
                return None;
            };
            let major: u32 = version
                .as_deref()
                .and_then(|version| version.split('.').next()?.parse().ok())
                .unwrap_or(0);
            let babelfish = babelfish.as_deref() == Some("1");
            Some(Self {
                session: session.clone()?,
                database: database.clone()?,
                babelfish,
                transaction: if major >= NUMBERS_TRANSACTIONS && !babelfish {
                    "CURRENT_TRANSACTION_ID()"
                } else {
                    "0"
                },
            })
        });
        known.ok_or_else(|| {
            Error::new(
                ErrorKind::Connect,
                "the server does not answer questions on itself",
            )
        })
    }
}
