/// What makes an incoming message the same as another one. Part of the schema: a database made with the one is not opened with the
/// other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Identity {
    /// Its id.
    #[default]
    Id,
    /// Its id and the destination where it was received: one message may come in at several.
    IdAndDestination,
}

impl Identity {
    /// Puts the key into a script, before the checksum is taken: it is what tells the two kinds of database apart.
    pub(crate) fn fill(self, script: &str) -> String {
        let (key, null) = match self {
            Self::Id => ("id", "NULL"),
            Self::IdAndDestination => ("id, received_at", "NOT NULL"),
        };
        script
            .replace("{{incoming:key}}", key)
            .replace("{{received_at:null}}", null)
    }
}
