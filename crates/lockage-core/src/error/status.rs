/// Says whether an error can pass without a change by the user.
///
/// [`ErrorKind`](crate::ErrorKind) says what failed; the status says what a caller can do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Status {
    /// The same call fails again until something is changed.
    #[default]
    Permanent,
    /// The same call may succeed later without a change.
    Temporary,
    /// The server or the network ended the connection; no user terminated this session. A run that applies migrations
    /// reconnects.
    ConnectionLost,
    /// The server is reachable and the database does not exist. It can still be created.
    DatabaseMissing,
}
