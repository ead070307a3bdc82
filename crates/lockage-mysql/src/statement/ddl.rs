//! Statements that commit by themselves: what they are about, and what the schema shows when they have run.

use super::alter::{Clause, Part, clauses, telling};
use super::cursor::{Cursor, Name};

/// What a statement that commits by itself does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Twice is the same as once.
    Repeatable,
    /// The schema tells whether it ran, by these objects. All of them change, or none.
    Changes(Vec<Change>),
    /// It empties a table.
    Truncates(Name),
    /// Neither is known.
    Opaque,
}

/// One object, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) object: Object,
    pub(crate) name: Name,
    pub(crate) becomes: Becomes,
}

impl Change {
    /// Whether the object alone tells if the change took place.
    pub(crate) fn tells(&self) -> bool {
        match &self.becomes {
            Becomes::Other(clauses) => {
                !telling(clauses).is_empty()
                    || clauses
                        .iter()
                        .any(|clause| matches!(clause, Clause::RenamesTable(_)))
            }
            _ => true,
        }
    }
}

/// What becomes of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Becomes {
    /// It is there.
    There,
    /// It is there, and filled with rows.
    Filled,
    /// It is gone.
    Gone,
    /// It has another definition, told by these clauses.
    Other(Vec<Clause>),
}

/// What kind of object it is.
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
    /// The word in SQL.
    pub(crate) fn word(self) -> &'static str {
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

/// Words behind which an account, a server or the whole instance changes.
const ELSEWHERE: &[&str] = &[
    "USER",
    "ROLE",
    "SERVER",
    "TABLESPACE",
    "UNDO",
    "LOGFILE",
    "RESOURCE",
    "REFERENCE",
    "INSTANCE",
    "PACKAGE",
    "LIBRARY",
];

/// Statements for which twice is the same as once.
const REPEATABLE: &[&[&str]] = &[
    &["GRANT"],
    &["FLUSH"],
    &["OPTIMIZE"],
    &["ANALYZE", "TABLE"],
    &["ANALYZE", "LOCAL"],
    &["ANALYZE", "NO_WRITE_TO_BINLOG"],
    &["CHECK", "TABLE"],
    &["REPAIR"],
    &["CACHE", "INDEX"],
    &["LOAD", "INDEX"],
    &["PURGE"],
    &["RESET"],
    &["KILL"],
];

/// Statements of which nothing is known afterwards.
const OPAQUE: &[&[&str]] = &[
    &["REVOKE"],
    &["INSTALL"],
    &["UNINSTALL"],
    &["CHANGE"],
    &["STOP"],
    &["START", "SLAVE"],
    &["START", "REPLICA"],
    &["START", "GROUP_REPLICATION"],
    &["START", "ALL"],
    &["IMPORT", "TABLE"],
    &["CLONE"],
    &["BACKUP"],
    &["RESTART"],
    &["SHUTDOWN"],
];

/// The deed of a statement that commits by itself; `None` for any other.
pub(super) fn deed(mut at: Cursor<'_>) -> Option<Deed> {
    if REPEATABLE.iter().any(|words| at.sees(words)) {
        return Some(Deed::Repeatable);
    }
    if OPAQUE.iter().any(|words| at.sees(words)) {
        return Some(Deed::Opaque);
    }
    match at.next()?.to_ascii_uppercase().as_str() {
        "CREATE" => create(at),
        "ALTER" => Some(alter(at).unwrap_or(Deed::Opaque)),
        "DROP" => drop_(at),
        "RENAME" => Some(rename(at).unwrap_or(Deed::Opaque)),
        "TRUNCATE" => {
            at.takes(&["TABLE"]);
            Some(at.name().map_or(Deed::Opaque, Deed::Truncates))
        }
        _ => None,
    }
}

fn one(object: Object, name: Name, becomes: Becomes) -> Deed {
    Deed::Changes(vec![Change {
        object,
        name,
        becomes,
    }])
}

fn create(mut at: Cursor<'_>) -> Option<Deed> {
    let replaces = at.takes(&["OR", "REPLACE"]);
    if at.takes(&["TEMPORARY"]) {
        return None;
    }
    // `DEFINER = 'a'@'b' SQL SECURITY INVOKER ALGORITHM = MERGE AGGREGATE UNIQUE …` stand in front of the kind.
    let object = loop {
        if ELSEWHERE.iter().any(|word| at.sees(&[word])) {
            return Some(if replaces || at.holds("EXISTS") {
                Deed::Repeatable
            } else {
                Deed::Opaque
            });
        }
        if let Some(object) = object(&mut at) {
            break object;
        }
        if at.takes(&["INDEX"]) {
            return Some(create_index(at).unwrap_or(Deed::Opaque));
        }
        if at.next().is_none() {
            return Some(Deed::Opaque);
        }
    };
    let lenient = at.takes(&["IF", "NOT", "EXISTS"]);
    let Some(name) = at.name() else {
        return Some(Deed::Opaque);
    };
    if object == Object::Table {
        let filled = at.holds("SELECT") || at.holds("VALUES") || at.sees(&["(", "SELECT"]);
        // What is made anew loses the rows that somebody may have put there meanwhile.
        return Some(match (replaces, filled, lenient) {
            (true, ..) => Deed::Opaque,
            (_, true, _) => one(object, name, Becomes::Filled),
            (_, _, true) => Deed::Repeatable,
            _ => one(object, name, Becomes::There),
        });
    }
    if object == Object::Function && at.holds("SONAME") {
        return Some(Deed::Opaque);
    }
    Some(if replaces || lenient {
        Deed::Repeatable
    } else {
        one(object, name, Becomes::There)
    })
}

fn object(at: &mut Cursor<'_>) -> Option<Object> {
    let word = at.takes_any(&[
        "TABLE",
        "TABLES",
        "VIEW",
        "SEQUENCE",
        "TRIGGER",
        "PROCEDURE",
        "FUNCTION",
        "EVENT",
        "DATABASE",
        "SCHEMA",
    ])?;
    Some(match word.to_ascii_uppercase().as_str() {
        "TABLE" | "TABLES" => Object::Table,
        "VIEW" => Object::View,
        "SEQUENCE" => Object::Sequence,
        "TRIGGER" => Object::Trigger,
        "PROCEDURE" => Object::Procedure,
        "FUNCTION" => Object::Function,
        "EVENT" => Object::Event,
        _ => Object::Database,
    })
}

fn create_index(mut at: Cursor<'_>) -> Option<Deed> {
    at.takes(&["IF", "NOT", "EXISTS"]);
    let index = at.name()?.name;
    if !at.skip_behind("ON") {
        return None;
    }
    Some(one(
        Object::Table,
        at.name()?,
        Becomes::Other(vec![Clause::Adds(Part::Key(index))]),
    ))
}

fn alter(mut at: Cursor<'_>) -> Option<Deed> {
    let object = loop {
        if at.sees(&["USER"]) {
            return Some(Deed::Repeatable);
        }
        if ELSEWHERE.iter().any(|word| at.sees(&[word])) {
            return None;
        }
        match object(&mut at) {
            Some(object) => break object,
            None => at.next()?,
        };
    };
    at.takes(&["IF", "EXISTS"]);
    if object == Object::Database
        && (at.sees(&["CHARACTER"])
            || at.sees(&["COLLATE"])
            || at.sees(&["DEFAULT"])
            || at.sees(&["CHARSET"]))
    {
        return Some(Deed::Repeatable);
    }
    let name = at.name()?;
    let clauses = match object {
        Object::Table => {
            if at
                .takes_any(&["WAIT", "NOWAIT"])
                .is_some_and(|word| word.eq_ignore_ascii_case("WAIT"))
            {
                at.next();
            }
            clauses(&at)
        }
        // A new name under an old definition: the old name is gone.
        Object::Event if at.holds("RENAME") => {
            at.skip_behind("RENAME");
            at.takes(&["TO"]);
            vec![Clause::RenamesTable(at.name()?)]
        }
        Object::Sequence => vec![Clause::Hidden],
        _ => return Some(Deed::Repeatable),
    };
    if clauses.contains(&Clause::Hidden) {
        return None;
    }
    Some(one(object, name, Becomes::Other(clauses)))
}

fn drop_(mut at: Cursor<'_>) -> Option<Deed> {
    if at.sees(&["TEMPORARY"]) || at.sees(&["PREPARE"]) {
        return None;
    }
    if ELSEWHERE.iter().any(|word| at.sees(&[word])) {
        return Some(if at.holds("EXISTS") {
            Deed::Repeatable
        } else {
            Deed::Opaque
        });
    }
    if at.takes(&["INDEX"]) {
        return Some(drop_index(at).unwrap_or(Deed::Opaque));
    }
    let Some(object) = object(&mut at) else {
        return Some(Deed::Opaque);
    };
    if at.takes(&["IF", "EXISTS"]) {
        return Some(Deed::Repeatable);
    }
    Some(at.names().map_or(Deed::Opaque, |names| {
        Deed::Changes(
            names
                .into_iter()
                .map(|name| Change {
                    object,
                    name,
                    becomes: Becomes::Gone,
                })
                .collect(),
        )
    }))
}

fn drop_index(mut at: Cursor<'_>) -> Option<Deed> {
    at.takes(&["IF", "EXISTS"]);
    let index = at.name()?.name;
    if !at.skip_behind("ON") {
        return None;
    }
    let part = if index.eq_ignore_ascii_case("PRIMARY") {
        Part::PrimaryKey
    } else {
        Part::Key(index)
    };
    Some(one(
        Object::Table,
        at.name()?,
        Becomes::Other(vec![Clause::Drops(part)]),
    ))
}

/// `RENAME TABLE a TO b, c TO d`: every old name goes and every new one comes, but those that are both.
fn rename(mut at: Cursor<'_>) -> Option<Deed> {
    at.takes_any(&["TABLE", "TABLES"])?;
    at.takes(&["IF", "EXISTS"]);
    let mut old = Vec::new();
    let mut new = Vec::new();
    loop {
        old.push(at.name()?);
        if at
            .takes_any(&["WAIT", "NOWAIT"])
            .is_some_and(|word| word.eq_ignore_ascii_case("WAIT"))
        {
            at.next();
        }
        if !at.takes(&["TO"]) {
            return None;
        }
        new.push(at.name()?);
        if !at.takes(&[","]) {
            break;
        }
    }
    let change = |name: &Name, becomes| Change {
        object: Object::Table,
        name: name.clone(),
        becomes,
    };
    let gone = old
        .iter()
        .filter(|name| !new.contains(name))
        .map(|name| change(name, Becomes::Gone));
    let there = new
        .iter()
        .filter(|name| !old.contains(name))
        .map(|name| change(name, Becomes::There));
    let changes: Vec<Change> = gone.chain(there).collect();
    // Names that only change places tell nothing.
    (!changes.is_empty()).then_some(Deed::Changes(changes))
}
