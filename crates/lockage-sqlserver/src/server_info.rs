//! Properties of the server and of the session. The first batch of a session reads them, so they cost no round trip.

use lockage_core::{Error, ErrorKind, Result};
use lockage_sql::Row;

/// Every server that speaks the protocol answers this query.
pub(crate) const SERVER_INFO_QUERY: &str = "SELECT CONVERT(NVARCHAR(20), @@SPID), DB_NAME(), CONVERT(NVARCHAR(128), SERVERPROPERTY('ProductVersion')), \
     CONVERT(NVARCHAR(20), SERVERPROPERTY('Babelfish'))";

/// SQL Server 2016, the first version with `CURRENT_TRANSACTION_ID()`.
const MIN_VERSION_TRANSACTION_ID: u32 = 13;

/// Properties of the server and of the session.
#[derive(Debug, Clone)]
pub(crate) struct ServerInfo {
    /// The session's number.
    pub(crate) session_id: String,
    /// The database of the session at its start.
    pub(crate) initial_database: String,
    /// Whether the server is Babelfish.
    pub(crate) is_babelfish: bool,
    /// An SQL expression that identifies the current transaction.
    pub(crate) transaction_id_sql: &'static str,
}

impl ServerInfo {
    /// Reads the row that [`SERVER_INFO_QUERY`] returned.
    ///
    /// # Errors
    /// [`ErrorKind::Connect`] if the row is missing or incomplete.
    pub(crate) fn from_row(row: Option<&Row>) -> Result<Self> {
        row.and_then(Self::parse).ok_or_else(unreadable_error)
    }

    fn parse(row: &Row) -> Option<Self> {
        let [session_id, database, version, babelfish] = row.as_slice() else {
            return None;
        };
        let major: u32 = version
            .as_deref()
            .and_then(|version| version.split('.').next()?.parse().ok())
            .unwrap_or(0);
        let is_babelfish = babelfish.as_deref() == Some("1");
        Some(Self {
            session_id: session_id.clone()?,
            initial_database: database.clone()?,
            is_babelfish,
            transaction_id_sql: if major >= MIN_VERSION_TRANSACTION_ID && !is_babelfish {
                "CURRENT_TRANSACTION_ID()"
            } else {
                "0"
            },
        })
    }
}

/// Returns the error of a server that did not answer [`SERVER_INFO_QUERY`].
pub(crate) fn unreadable_error() -> Error {
    Error::new(
        ErrorKind::Connect,
        "could not read the server's version and settings",
    )
}
