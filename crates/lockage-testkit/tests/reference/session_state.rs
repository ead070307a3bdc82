use std::collections::BTreeSet;

/// What the statements of a migration leave in the session.
#[derive(Debug, Default)]
pub(crate) struct SessionState {
    pub(crate) temporary_tables: BTreeSet<String>,
    pub(crate) setting_changed: bool,
}
