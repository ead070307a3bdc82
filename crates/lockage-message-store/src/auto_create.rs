//! What a start may do to the schema.

/// What [`start`](crate::MessageStore::start) may do to the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AutoCreate {
    /// Nothing. A missing or outdated message database is an error that names the command to run.
    None,
    /// Create a missing message database. An outdated one is an error. If another process is creating it, the start waits.
    CreateOnly,
    /// Create a missing message database and apply pending migrations.
    #[default]
    CreateOrUpdate,
}
