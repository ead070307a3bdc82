//! The class of a statement, and the effect of one that commits by itself.

use super::alter::{Clause, verifiable};
use super::cursor::Name;

/// The class of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Class {
    /// It changes only settings of the session, and can run again.
    Session,
    /// It can share a transaction with other statements.
    Data,
    /// It runs the prepared statement of this name.
    Execute(String),
    /// It commits by itself.
    Ddl(DdlEffect),
}

/// The effect of a statement that commits by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DdlEffect {
    /// The statement can run twice with the same effect.
    Idempotent,
    /// The statement changes these objects: all of them or none.
    Changes(Vec<ObjectChange>),
    /// The statement removes all rows of a table.
    Truncates(Name),
    /// The effect cannot be verified.
    Unknown,
}

/// The change of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectChange {
    pub(crate) object: Object,
    pub(crate) name: Name,
    pub(crate) change: Change,
}

impl ObjectChange {
    /// Returns whether the object alone shows if the change took effect.
    pub(crate) fn is_verifiable(&self) -> bool {
        match &self.change {
            Change::Altered(clauses) => {
                !verifiable(clauses).is_empty()
                    || clauses
                        .iter()
                        .any(|clause| matches!(clause, Clause::RenamesTable(_)))
            }
            _ => true,
        }
    }
}

/// How a statement changes an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// The object exists after the statement.
    Created,
    /// The table exists after the statement, with rows of a query.
    CreatedWithRows,
    /// The object does not exist after the statement.
    Dropped,
    /// These clauses change the object's definition.
    Altered(Vec<Clause>),
}

/// The kind of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Object {
    Database,
    Table,
    View,
    Sequence,
    Trigger,
    Procedure,
    Function,
    Event,
}

impl Object {
    /// Returns the keyword in SQL.
    pub(crate) fn keyword(self) -> &'static str {
        match self {
            Self::Database => "DATABASE",
            Self::Table => "TABLE",
            Self::View => "VIEW",
            Self::Sequence => "SEQUENCE",
            Self::Trigger => "TRIGGER",
            Self::Procedure => "PROCEDURE",
            Self::Function => "FUNCTION",
            Self::Event => "EVENT",
        }
    }
}
