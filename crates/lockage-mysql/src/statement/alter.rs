//! What an `ALTER TABLE` leaves behind, as far as a look at the table can tell.

use super::cursor::{Cursor, Name, unquoted};

/// Something that can be looked for in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Column(String),
    /// An index, or a constraint of whatever kind.
    Key(String),
    PrimaryKey,
    Partition(String),
}

/// What a clause does, where a look can tell whether it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Clause {
    /// It is there afterwards, and was not before.
    Adds(Part),
    /// It is gone afterwards, and was there before.
    Drops(Part),
    /// The table has another name afterwards.
    RenamesTable(Name),
    /// A look at names does not tell.
    Silent,
    /// Not even a look at the whole definition tells, and twice is not the same as once.
    Hidden,
}

/// The parts by which a look at names tells, and whether each is there afterwards. What is dropped and added again is there before and
/// after.
pub(crate) fn telling(clauses: &[Clause]) -> Vec<(&Part, bool)> {
    clauses
        .iter()
        .filter_map(|clause| match clause {
            Clause::Adds(part) if !clauses.contains(&Clause::Drops(part.clone())) => {
                Some((part, true))
            }
            Clause::Drops(part) if !clauses.contains(&Clause::Adds(part.clone())) => {
                Some((part, false))
            }
            _ => None,
        })
        .collect()
}

/// Reads what stands behind the table's name.
pub(super) fn clauses(actions: &Cursor<'_>) -> Vec<Clause> {
    actions.parts().into_iter().flat_map(clause).collect()
}

fn clause(mut at: Cursor<'_>) -> Vec<Clause> {
    let Some(verb) = at.next() else {
        return Vec::new();
    };
    match verb.to_ascii_uppercase().as_str() {
        "ADD" => adds(at),
        "DROP" => drops(at),
        "CHANGE" => {
            at.takes(&["COLUMN"]);
            at.takes(&["IF", "EXISTS"]);
            match (at.next().and_then(unquoted), at.next().and_then(unquoted)) {
                (Some(old), Some(new)) => renames(Part::Column, old, new),
                _ => vec![Clause::Silent],
            }
        }
        "RENAME" => renames_something(at),
        "EXCHANGE" | "DISCARD" | "IMPORT" | "TRUNCATE" | "CONVERT"
            if !at.sees(&["TO", "CHARACTER"]) && !at.sees(&["TO", "CHARSET"]) =>
        {
            vec![Clause::Hidden]
        }
        _ => vec![Clause::Silent],
    }
}

fn adds(mut at: Cursor<'_>) -> Vec<Clause> {
    if at.takes(&["PARTITION"]) {
        at.takes(&["IF", "NOT", "EXISTS"]);
        let name = if at.takes(&["(", "PARTITION"]) {
            at.next().and_then(unquoted)
        } else {
            None
        };
        return vec![name.map_or(Clause::Silent, |name| Clause::Adds(Part::Partition(name)))];
    }
    if at.takes(&["CONSTRAINT"]) {
        at.takes(&["IF", "NOT", "EXISTS"]);
        if at.sees(&["PRIMARY", "KEY"]) {
            return vec![Clause::Adds(Part::PrimaryKey)];
        }
        let name = match at.peek() {
            Some(word)
                if ["UNIQUE", "FOREIGN", "CHECK"]
                    .iter()
                    .any(|kind| word.eq_ignore_ascii_case(kind)) =>
            {
                None
            }
            _ => at.next().and_then(unquoted),
        };
        if at.sees(&["PRIMARY", "KEY"]) {
            return vec![Clause::Adds(Part::PrimaryKey)];
        }
        return vec![name.map_or(Clause::Silent, |name| Clause::Adds(Part::Key(name)))];
    }
    if at.takes(&["PRIMARY", "KEY"]) {
        return vec![Clause::Adds(Part::PrimaryKey)];
    }
    let special = at.takes_any(&["UNIQUE", "FULLTEXT", "SPATIAL"]).is_some();
    if at.takes_any(&["INDEX", "KEY"]).is_some() || special {
        at.takes(&["IF", "NOT", "EXISTS"]);
        // An index without a name gets one from the server.
        let name = match at.peek() {
            Some(word) if word == "(" || word.eq_ignore_ascii_case("USING") => None,
            _ => at.next().and_then(unquoted),
        };
        return vec![name.map_or(Clause::Silent, |name| Clause::Adds(Part::Key(name)))];
    }
    if at
        .takes_any(&["FOREIGN", "CHECK", "SYSTEM", "PERIOD"])
        .is_some()
    {
        return vec![Clause::Silent];
    }
    at.takes(&["COLUMN"]);
    at.takes(&["IF", "NOT", "EXISTS"]);
    if at.sees(&["("]) {
        let inner: Vec<_> = at.rest().iter().skip(1).copied().collect();
        return inside(&inner)
            .into_iter()
            .map(|name| Clause::Adds(Part::Column(name)))
            .collect();
    }
    vec![
        at.next()
            .and_then(unquoted)
            .map_or(Clause::Silent, |name| Clause::Adds(Part::Column(name))),
    ]
}

/// The first names of the definitions in `(a INT, b INT)`, its first parenthesis taken off.
fn inside(tokens: &[&str]) -> Vec<String> {
    let mut depth = 1_u32;
    let mut first = true;
    let mut names = Vec::new();
    for token in tokens {
        match *token {
            "(" => depth += 1,
            ")" => depth -= 1,
            "," if depth == 1 => first = true,
            token if first => {
                names.extend(unquoted(token));
                first = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn drops(mut at: Cursor<'_>) -> Vec<Clause> {
    if at.takes(&["PRIMARY", "KEY"]) {
        return vec![Clause::Drops(Part::PrimaryKey)];
    }
    if at.takes_any(&["SYSTEM", "PERIOD"]).is_some() {
        return vec![Clause::Silent];
    }
    let part: fn(String) -> Part = if at.takes(&["PARTITION"]) {
        Part::Partition
    } else if at.takes(&["FOREIGN", "KEY"])
        || at
            .takes_any(&["INDEX", "KEY", "CONSTRAINT", "CHECK"])
            .is_some()
    {
        Part::Key
    } else {
        at.takes(&["COLUMN"]);
        Part::Column
    };
    at.takes(&["IF", "EXISTS"]);
    vec![
        at.next()
            .and_then(unquoted)
            .map_or(Clause::Silent, |name| Clause::Drops(part(name))),
    ]
}

fn renames_something(mut at: Cursor<'_>) -> Vec<Clause> {
    let part: fn(String) -> Part = if at.takes(&["COLUMN"]) {
        Part::Column
    } else if at.takes_any(&["INDEX", "KEY"]).is_some() {
        Part::Key
    } else {
        at.takes_any(&["TO", "AS", "="]);
        return vec![at.name().map_or(Clause::Silent, Clause::RenamesTable)];
    };
    at.takes(&["IF", "EXISTS"]);
    match (
        at.next().and_then(unquoted),
        at.takes(&["TO"]),
        at.next().and_then(unquoted),
    ) {
        (Some(old), true, Some(new)) => renames(part, old, new),
        _ => vec![Clause::Silent],
    }
}

/// A new name is looked for only where it is another one: names differ by more than case there.
fn renames(part: fn(String) -> Part, old: String, new: String) -> Vec<Clause> {
    if old.to_lowercase() == new.to_lowercase() {
        return vec![Clause::Silent];
    }
    vec![Clause::Drops(part(old)), Clause::Adds(part(new))]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(actions: &str) -> Vec<Clause> {
        clauses(&Cursor::new(actions))
    }

    fn column(name: &str) -> Part {
        Part::Column(name.into())
    }

    fn key(name: &str) -> Part {
        Part::Key(name.into())
    }

    #[test]
    fn what_clauses_add_and_drop() {
        use Clause::{Adds, Drops, Hidden, RenamesTable, Silent};
        for (actions, expected) in [
            ("ADD a INT", vec![Adds(column("a"))]),
            (
                "add column `a b` DECIMAL(10, 2) NOT NULL DEFAULT (1 + 2) AFTER c, DROP d",
                vec![Adds(column("a b")), Drops(column("d"))],
            ),
            (
                "ADD COLUMN (a INT, b DECIMAL(1,2))",
                vec![Adds(column("a")), Adds(column("b"))],
            ),
            ("ADD COLUMN IF NOT EXISTS a INT", vec![Adds(column("a"))]),
            ("ADD UNIQUE KEY u (a)", vec![Adds(key("u"))]),
            ("ADD UNIQUE (a)", vec![Silent]),
            ("ADD INDEX USING BTREE (a)", vec![Silent]),
            ("ADD FULLTEXT f (a)", vec![Adds(key("f"))]),
            (
                "ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES t (b)",
                vec![Adds(key("fk"))],
            ),
            (
                "ADD CONSTRAINT PRIMARY KEY (a)",
                vec![Adds(Part::PrimaryKey)],
            ),
            ("ADD FOREIGN KEY (a) REFERENCES t (b)", vec![Silent]),
            (
                "DROP PRIMARY KEY, ADD PRIMARY KEY (a)",
                vec![Drops(Part::PrimaryKey), Adds(Part::PrimaryKey)],
            ),
            (
                "DROP FOREIGN KEY fk, DROP INDEX i",
                vec![Drops(key("fk")), Drops(key("i"))],
            ),
            (
                "CHANGE a b INT",
                vec![Drops(column("a")), Adds(column("b"))],
            ),
            ("CHANGE a A INT", vec![Silent]),
            (
                "RENAME COLUMN a TO b",
                vec![Drops(column("a")), Adds(column("b"))],
            ),
            (
                "RENAME TO s.t",
                vec![RenamesTable(Name {
                    database: Some("s".into()),
                    name: "t".into(),
                })],
            ),
            ("MODIFY a BIGINT, ENGINE = InnoDB", vec![Silent, Silent]),
            (
                "ADD PARTITION (PARTITION p1 VALUES LESS THAN (10))",
                vec![Adds(Part::Partition("p1".into()))],
            ),
            ("TRUNCATE PARTITION p1", vec![Hidden]),
            ("CONVERT TO CHARACTER SET utf8mb4", vec![Silent]),
            ("EXCHANGE PARTITION p WITH TABLE t", vec![Hidden]),
        ] {
            assert_eq!(read(actions), expected, "{actions}");
        }
    }
}
