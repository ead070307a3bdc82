//! Determines from the schema whether a statement that commits by itself took effect: it is recorded before the statement and compared
//! afterwards.

mod fingerprint;
mod object;
mod resolve;
mod snapshot;

pub(crate) use resolve::resolve;
pub(crate) use snapshot::snapshot;
