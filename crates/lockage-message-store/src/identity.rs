//! The identity of an incoming message.

/// What identifies an incoming message. The identity is part of the schema: a database that was created with one cannot be used
/// with the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Identity {
    /// Its id.
    #[default]
    Id,
    /// Its id and the destination that received it: several destinations can receive the same message.
    IdAndDestination,
}

impl Identity {
    /// Replaces the placeholders of the primary key in a script. It happens before the checksum is computed, so that the
    /// checksum differs between the two identities.
    pub(crate) fn render(self, script: &str) -> String {
        let (key, null) = match self {
            Self::Id => ("id", "NULL"),
            Self::IdAndDestination => ("id, received_at", "NOT NULL"),
        };
        script
            .replace("{{incoming:key}}", key)
            .replace("{{received_at:null}}", null)
    }
}
