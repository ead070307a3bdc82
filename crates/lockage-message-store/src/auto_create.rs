/// What [`start`](crate::MessageStore::start) may do to the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AutoCreate {
    /// Nothing: a message database that is missing or outdated is an error that names the command which mends it.
    None,
    /// Make it where there is none. One that is outdated is an error; one that another process is making just now is waited for.
    CreateOnly,
    /// Make it, and bring it up to this program.
    #[default]
    CreateOrUpdate,
}
