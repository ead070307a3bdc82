//! Reads the clauses of an `ALTER TABLE`, and determines how their effect can be verified in the table.

use super::cursor::{Cursor, Name, unquoted};

/// A part of a table whose existence can be queried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Column(String),
    /// An index, or a constraint of any kind.
    Key(String),
    PrimaryKey,
    Partition(String),
}

/// The effect of a clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Clause {
    /// The part exists after the clause, and did not exist before.
    Adds(Part),
    /// The part does not exist after the clause, and existed before.
    Drops(Part),
    /// The table has another name after the clause.
    RenamesTable(Name),
    /// The names of the table's parts do not show the effect.
    Unverifiable,
    /// Not even the table's definition shows the effect, and the clause is not idempotent.
    Invisible,
}

/// Returns the parts whose existence shows the effect of the clauses, and whether each exists after it. A part that is dropped and
/// added again is omitted: it exists before and after.
pub(crate) fn verifiable(clauses: &[Clause]) -> Vec<(&Part, bool)> {
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

/// Reads the clauses after the table's name.
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
            at.eat(&["COLUMN"]);
            at.eat(&["IF", "EXISTS"]);
            match (at.next().and_then(unquoted), at.next().and_then(unquoted)) {
                (Some(old), Some(new)) => renames(Part::Column, old, new),
                _ => vec![Clause::Unverifiable],
            }
        }
        "RENAME" => renames_in_table(at),
        "EXCHANGE" | "DISCARD" | "IMPORT" | "TRUNCATE" | "CONVERT"
            if !at.peek_keyword(&["TO", "CHARACTER"]) && !at.peek_keyword(&["TO", "CHARSET"]) =>
        {
            vec![Clause::Invisible]
        }
        _ => vec![Clause::Unverifiable],
    }
}

fn adds(mut at: Cursor<'_>) -> Vec<Clause> {
    if at.eat(&["PARTITION"]) {
        return adds_partition(at);
    }
    if at.eat(&["CONSTRAINT"]) {
        return adds_constraint(at);
    }
    if at.eat(&["PRIMARY", "KEY"]) {
        return vec![Clause::Adds(Part::PrimaryKey)];
    }
    let is_special = at.eat_any(&["UNIQUE", "FULLTEXT", "SPATIAL"]).is_some();
    if at.eat_any(&["INDEX", "KEY"]).is_some() || is_special {
        at.eat(&["IF", "NOT", "EXISTS"]);
        // The server chooses the name of an index without one.
        let name = match at.peek() {
            Some(word) if word == "(" || word.eq_ignore_ascii_case("USING") => None,
            _ => at.next().and_then(unquoted),
        };
        return adds_part(Part::Key, name);
    }
    if at
        .eat_any(&["FOREIGN", "CHECK", "SYSTEM", "PERIOD"])
        .is_some()
    {
        return vec![Clause::Unverifiable];
    }
    adds_columns(at)
}

fn adds_partition(mut at: Cursor<'_>) -> Vec<Clause> {
    at.eat(&["IF", "NOT", "EXISTS"]);
    let name = if at.eat(&["(", "PARTITION"]) {
        at.next().and_then(unquoted)
    } else {
        None
    };
    adds_part(Part::Partition, name)
}

fn adds_constraint(mut at: Cursor<'_>) -> Vec<Clause> {
    at.eat(&["IF", "NOT", "EXISTS"]);
    if at.peek_keyword(&["PRIMARY", "KEY"]) {
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
    if at.peek_keyword(&["PRIMARY", "KEY"]) {
        return vec![Clause::Adds(Part::PrimaryKey)];
    }
    adds_part(Part::Key, name)
}

fn adds_columns(mut at: Cursor<'_>) -> Vec<Clause> {
    at.eat(&["COLUMN"]);
    at.eat(&["IF", "NOT", "EXISTS"]);
    if at.peek_keyword(&["("]) {
        let inner: Vec<_> = at.remaining().iter().skip(1).copied().collect();
        return in_parentheses(&inner)
            .into_iter()
            .map(|name| Clause::Adds(Part::Column(name)))
            .collect();
    }
    adds_part(Part::Column, at.next().and_then(unquoted))
}

/// Returns the clause that adds a part. A part without a name cannot be verified.
fn adds_part(part: fn(String) -> Part, name: Option<String>) -> Vec<Clause> {
    vec![name.map_or(Clause::Unverifiable, |name| Clause::Adds(part(name)))]
}

/// Returns the names of the columns in `(a INT, b INT)`. The tokens start after the first parenthesis.
fn in_parentheses(tokens: &[&str]) -> Vec<String> {
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
    if at.eat(&["PRIMARY", "KEY"]) {
        return vec![Clause::Drops(Part::PrimaryKey)];
    }
    if at.eat_any(&["SYSTEM", "PERIOD"]).is_some() {
        return vec![Clause::Unverifiable];
    }
    let part: fn(String) -> Part = if at.eat(&["PARTITION"]) {
        Part::Partition
    } else if at.eat(&["FOREIGN", "KEY"])
        || at
            .eat_any(&["INDEX", "KEY", "CONSTRAINT", "CHECK"])
            .is_some()
    {
        Part::Key
    } else {
        at.eat(&["COLUMN"]);
        Part::Column
    };
    at.eat(&["IF", "EXISTS"]);
    vec![
        at.next()
            .and_then(unquoted)
            .map_or(Clause::Unverifiable, |name| Clause::Drops(part(name))),
    ]
}

fn renames_in_table(mut at: Cursor<'_>) -> Vec<Clause> {
    let part: fn(String) -> Part = if at.eat(&["COLUMN"]) {
        Part::Column
    } else if at.eat_any(&["INDEX", "KEY"]).is_some() {
        Part::Key
    } else {
        at.eat_any(&["TO", "AS", "="]);
        return vec![at.name().map_or(Clause::Unverifiable, Clause::RenamesTable)];
    };
    at.eat(&["IF", "EXISTS"]);
    match (
        at.next().and_then(unquoted),
        at.eat(&["TO"]),
        at.next().and_then(unquoted),
    ) {
        (Some(old), true, Some(new)) => renames(part, old, new),
        _ => vec![Clause::Unverifiable],
    }
}

/// Names that differ only in case are equal on the server, so they do not show the effect.
fn renames(part: fn(String) -> Part, old: String, new: String) -> Vec<Clause> {
    if old.to_lowercase() == new.to_lowercase() {
        return vec![Clause::Unverifiable];
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

    // Long because it is a table of cases.
    #[test]
    fn clauses_are_read_with_their_effects() {
        use Clause::{Adds, Drops, Invisible, RenamesTable, Unverifiable};
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
            ("ADD UNIQUE (a)", vec![Unverifiable]),
            ("ADD INDEX USING BTREE (a)", vec![Unverifiable]),
            ("ADD FULLTEXT f (a)", vec![Adds(key("f"))]),
            (
                "ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES t (b)",
                vec![Adds(key("fk"))],
            ),
            (
                "ADD CONSTRAINT PRIMARY KEY (a)",
                vec![Adds(Part::PrimaryKey)],
            ),
            ("ADD FOREIGN KEY (a) REFERENCES t (b)", vec![Unverifiable]),
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
            ("CHANGE a A INT", vec![Unverifiable]),
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
            (
                "MODIFY a BIGINT, ENGINE = InnoDB",
                vec![Unverifiable, Unverifiable],
            ),
            (
                "ADD PARTITION (PARTITION p1 VALUES LESS THAN (10))",
                vec![Adds(Part::Partition("p1".into()))],
            ),
            ("TRUNCATE PARTITION p1", vec![Invisible]),
            ("CONVERT TO CHARACTER SET utf8mb4", vec![Unverifiable]),
            ("EXCHANGE PARTITION p WITH TABLE t", vec![Invisible]),
        ] {
            assert_eq!(read(actions), expected, "{actions}");
        }
    }
}
