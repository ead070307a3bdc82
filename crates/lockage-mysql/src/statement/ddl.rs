//! Reads statements that commit by themselves: which objects they change, and how their effect can be verified.

use super::alter::{Clause, Part, clauses};
use super::cursor::{Cursor, Name};
use super::effect::{Change, DdlEffect, Object, ObjectChange};

/// Keywords after CREATE, ALTER or DROP for objects outside the schema: accounts, servers, the instance.
const ACCOUNT_OR_SERVER_DDL: &[&str] = &[
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

/// Statements that can run twice with the same effect.
const IDEMPOTENT: &[&[&str]] = &[
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

/// Statements whose effect cannot be verified.
const UNVERIFIABLE: &[&[&str]] = &[
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

/// Returns the effect of a statement that commits by itself; `None` for any other statement.
pub(super) fn ddl_effect(mut at: Cursor<'_>) -> Option<DdlEffect> {
    if IDEMPOTENT.iter().any(|words| at.peek_keyword(words)) {
        return Some(DdlEffect::Idempotent);
    }
    if UNVERIFIABLE.iter().any(|words| at.peek_keyword(words)) {
        return Some(DdlEffect::Unknown);
    }
    match at.next()?.to_ascii_uppercase().as_str() {
        "CREATE" => create(at),
        "ALTER" => Some(alter(at).unwrap_or(DdlEffect::Unknown)),
        "DROP" => drop_objects(at),
        "RENAME" => Some(rename(at).unwrap_or(DdlEffect::Unknown)),
        "TRUNCATE" => {
            at.eat(&["TABLE"]);
            Some(at.name().map_or(DdlEffect::Unknown, DdlEffect::Truncates))
        }
        _ => None,
    }
}

fn single_object(object: Object, name: Name, change: Change) -> DdlEffect {
    DdlEffect::Changes(vec![ObjectChange {
        object,
        name,
        change,
    }])
}

fn create(mut at: Cursor<'_>) -> Option<DdlEffect> {
    let replaces = at.eat(&["OR", "REPLACE"]);
    if at.eat(&["TEMPORARY"]) {
        return None;
    }
    // Options precede the kind: `DEFINER = 'a'@'b' SQL SECURITY INVOKER ALGORITHM = MERGE AGGREGATE UNIQUE …`.
    let object = loop {
        if ACCOUNT_OR_SERVER_DDL
            .iter()
            .any(|word| at.peek_keyword(&[word]))
        {
            return Some(if replaces || at.contains("EXISTS") {
                DdlEffect::Idempotent
            } else {
                DdlEffect::Unknown
            });
        }
        if let Some(object) = object(&mut at) {
            break object;
        }
        if at.eat(&["INDEX"]) {
            return Some(create_index(at).unwrap_or(DdlEffect::Unknown));
        }
        if at.next().is_none() {
            return Some(DdlEffect::Unknown);
        }
    };
    let lenient = at.eat(&["IF", "NOT", "EXISTS"]);
    let Some(name) = at.name() else {
        return Some(DdlEffect::Unknown);
    };
    if object == Object::Table {
        let with_rows =
            at.contains("SELECT") || at.contains("VALUES") || at.peek_keyword(&["(", "SELECT"]);
        // OR REPLACE would delete rows that another session inserted in the meantime.
        return Some(match (replaces, with_rows, lenient) {
            (true, ..) => DdlEffect::Unknown,
            (_, true, _) => single_object(object, name, Change::CreatedWithRows),
            (_, _, true) => DdlEffect::Idempotent,
            _ => single_object(object, name, Change::Created),
        });
    }
    if object == Object::Function && at.contains("SONAME") {
        return Some(DdlEffect::Unknown);
    }
    Some(if replaces || lenient {
        DdlEffect::Idempotent
    } else {
        single_object(object, name, Change::Created)
    })
}

fn object(at: &mut Cursor<'_>) -> Option<Object> {
    let word = at.eat_any(&[
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

fn create_index(mut at: Cursor<'_>) -> Option<DdlEffect> {
    at.eat(&["IF", "NOT", "EXISTS"]);
    let index = at.name()?.name;
    if !at.skip_past("ON") {
        return None;
    }
    Some(single_object(
        Object::Table,
        at.name()?,
        Change::Altered(vec![Clause::Adds(Part::Key(index))]),
    ))
}

fn alter(mut at: Cursor<'_>) -> Option<DdlEffect> {
    let object = loop {
        if at.peek_keyword(&["USER"]) {
            return Some(DdlEffect::Idempotent);
        }
        if ACCOUNT_OR_SERVER_DDL
            .iter()
            .any(|word| at.peek_keyword(&[word]))
        {
            return None;
        }
        match object(&mut at) {
            Some(object) => break object,
            None => at.next()?,
        };
    };
    at.eat(&["IF", "EXISTS"]);
    if object == Object::Database
        && (at.peek_keyword(&["CHARACTER"])
            || at.peek_keyword(&["COLLATE"])
            || at.peek_keyword(&["DEFAULT"])
            || at.peek_keyword(&["CHARSET"]))
    {
        return Some(DdlEffect::Idempotent);
    }
    let name = at.name()?;
    let clauses = match object {
        Object::Table => {
            skip_wait(&mut at);
            clauses(&at)
        }
        // The definition stays, and the old name no longer exists.
        Object::Event if at.contains("RENAME") => {
            at.skip_past("RENAME");
            at.eat(&["TO"]);
            vec![Clause::RenamesTable(at.name()?)]
        }
        Object::Sequence => vec![Clause::Invisible],
        _ => return Some(DdlEffect::Idempotent),
    };
    if clauses.contains(&Clause::Invisible) {
        return None;
    }
    Some(single_object(object, name, Change::Altered(clauses)))
}

fn drop_objects(mut at: Cursor<'_>) -> Option<DdlEffect> {
    if at.peek_keyword(&["TEMPORARY"]) || at.peek_keyword(&["PREPARE"]) {
        return None;
    }
    if ACCOUNT_OR_SERVER_DDL
        .iter()
        .any(|word| at.peek_keyword(&[word]))
    {
        return Some(if at.contains("EXISTS") {
            DdlEffect::Idempotent
        } else {
            DdlEffect::Unknown
        });
    }
    if at.eat(&["INDEX"]) {
        return Some(drop_index(at).unwrap_or(DdlEffect::Unknown));
    }
    let Some(object) = object(&mut at) else {
        return Some(DdlEffect::Unknown);
    };
    if at.eat(&["IF", "EXISTS"]) {
        return Some(DdlEffect::Idempotent);
    }
    Some(at.names().map_or(DdlEffect::Unknown, |names| {
        DdlEffect::Changes(
            names
                .into_iter()
                .map(|name| ObjectChange {
                    object,
                    name,
                    change: Change::Dropped,
                })
                .collect(),
        )
    }))
}

fn drop_index(mut at: Cursor<'_>) -> Option<DdlEffect> {
    at.eat(&["IF", "EXISTS"]);
    let index = at.name()?.name;
    if !at.skip_past("ON") {
        return None;
    }
    let part = if index.eq_ignore_ascii_case("PRIMARY") {
        Part::PrimaryKey
    } else {
        Part::Key(index)
    };
    Some(single_object(
        Object::Table,
        at.name()?,
        Change::Altered(vec![Clause::Drops(part)]),
    ))
}

/// Reads `TABLE a TO b, c TO d`: the old names are dropped and the new ones created, except names that are both.
fn rename(mut at: Cursor<'_>) -> Option<DdlEffect> {
    at.eat_any(&["TABLE", "TABLES"])?;
    at.eat(&["IF", "EXISTS"]);
    let mut old = Vec::new();
    let mut new = Vec::new();
    loop {
        old.push(at.name()?);
        skip_wait(&mut at);
        if !at.eat(&["TO"]) {
            return None;
        }
        new.push(at.name()?);
        if !at.eat(&[","]) {
            break;
        }
    }
    let changed = |name: &Name, change| ObjectChange {
        object: Object::Table,
        name: name.clone(),
        change,
    };
    let dropped = old
        .iter()
        .filter(|name| !new.contains(name))
        .map(|name| changed(name, Change::Dropped));
    let created = new
        .iter()
        .filter(|name| !old.contains(name))
        .map(|name| changed(name, Change::Created));
    let changes: Vec<ObjectChange> = dropped.chain(created).collect();
    // Names that are only swapped do not show the effect.
    (!changes.is_empty()).then_some(DdlEffect::Changes(changes))
}

/// Consumes `WAIT n` or `NOWAIT`, if present.
fn skip_wait(at: &mut Cursor<'_>) {
    if at
        .eat_any(&["WAIT", "NOWAIT"])
        .is_some_and(|word| word.eq_ignore_ascii_case("WAIT"))
    {
        at.next();
    }
}
