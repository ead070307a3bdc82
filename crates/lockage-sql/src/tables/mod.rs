//! The SQL of the tables `lockage_history` and `lockage_journal`.

pub(crate) mod history;
pub(crate) mod journal;
