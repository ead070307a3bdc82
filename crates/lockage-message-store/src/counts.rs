//! The number of messages.

use std::ops::Add;

use lockage_core::{Error, ErrorKind, Result};
use lockage_sql::Row;

use crate::table_names::TableNames;

/// The number of messages, by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counts {
    /// Received and not yet handled.
    pub incoming: u64,
    /// Received, to be handled at a later time.
    pub scheduled: u64,
    /// Received, handled, and kept to recognise duplicates.
    pub handled: u64,
    /// To be sent.
    pub outgoing: u64,
    /// Failed to be handled.
    pub dead_letters: u64,
}

impl Counts {
    /// Returns one query for all counts.
    pub(crate) fn query(names: &TableNames) -> String {
        let incoming = names.table("incoming_envelopes");
        let with_status =
            |status: &str| format!("(SELECT COUNT(*) FROM {incoming} WHERE status = '{status}')");
        let all = |table: &str| format!("(SELECT COUNT(*) FROM {})", names.table(table));
        let counts = [
            with_status("Incoming"),
            with_status("Scheduled"),
            with_status("Handled"),
            all("outgoing_envelopes"),
            all("dead_letters"),
        ];
        format!("SELECT {}", counts.join(", "))
    }

    /// Parses the row of [`query`](Self::query).
    pub(crate) fn parse(rows: &[Row]) -> Result<Self> {
        let read = || -> Option<[u64; 5]> {
            let [row] = rows else { return None };
            let numbers: Option<Vec<u64>> = row
                .iter()
                .map(|number| number.as_ref()?.parse().ok())
                .collect();
            numbers?.try_into().ok()
        };
        match read() {
            Some([incoming, scheduled, handled, outgoing, dead_letters]) => Ok(Self {
                incoming,
                scheduled,
                handled,
                outgoing,
                dead_letters,
            }),
            None => Err(Error::new(
                ErrorKind::Unexpected,
                format!("the server returned invalid message counts: {rows:?}"),
            )),
        }
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            incoming: self.incoming + other.incoming,
            scheduled: self.scheduled + other.scheduled,
            handled: self.handled + other.handled,
            outgoing: self.outgoing + other.outgoing,
            dead_letters: self.dead_letters + other.dead_letters,
        }
    }
}
