use std::ops::Add;

use lockage_core::{Error, ErrorKind, Result};
use lockage_sql::Row;

use crate::place::Place;

/// How many messages there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counts {
    /// Came in and wait to be handled.
    pub incoming: u64,
    /// Came in and are to be handled later.
    pub scheduled: u64,
    /// Came in, were handled, and are kept to recognise them.
    pub handled: u64,
    /// Are to go out.
    pub outgoing: u64,
    /// Could not be handled.
    pub dead_letters: u64,
}

impl Counts {
    /// All of them in one statement.
    pub(crate) fn query(place: &Place) -> String {
        let incoming = place.table("incoming_envelopes");
        let of =
            |status: &str| format!("(SELECT COUNT(*) FROM {incoming} WHERE status = '{status}')");
        let all = |table: &str| format!("(SELECT COUNT(*) FROM {})", place.table(table));
        let counts = [
            of("Incoming"),
            of("Scheduled"),
            of("Handled"),
            all("outgoing_envelopes"),
            all("dead_letters"),
        ];
        format!("SELECT {}", counts.join(", "))
    }

    /// Reads the row of [`query`](Self::query).
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
                format!("the server counts the messages as {rows:?}"),
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
