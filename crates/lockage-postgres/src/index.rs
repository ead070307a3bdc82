//! Indexes that are built while the table is in use: what can be left of one that failed.

use crate::bare;
use crate::dialect::literal;

/// A `CREATE INDEX CONCURRENTLY`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Build {
    /// The index's name; without one the server makes it up.
    name: Option<String>,
    /// The table, quoted, with its schema where it has one.
    table: String,
}

/// An index that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) oid: String,
    /// Quoted, with its schema.
    pub(crate) name: String,
    pub(crate) valid: bool,
    /// The session that builds it.
    pub(crate) builder: Option<String>,
}

impl Build {
    pub(crate) fn parse(statement: &str) -> Option<Self> {
        let words = bare::words(statement);
        if words.first()? != "CREATE" || !bare::is_concurrent(&words) {
            return None;
        }
        let mut words = words
            .iter()
            .map(String::as_str)
            .skip_while(|word| *word != "CONCURRENTLY")
            .skip(1)
            .peekable();
        if words.peek() == Some(&"IF") {
            words.nth(2)?;
        }
        let name = match words.next()? {
            "ON" => None,
            name => {
                words.next().filter(|word| *word == "ON")?;
                Some(unquoted(name))
            }
        };
        words.next_if_eq(&"ONLY");
        Some(Self {
            name,
            table: qualified(words)?,
        })
    }

    pub(crate) fn has_name(&self) -> bool {
        self.name.is_some()
    }

    /// A query for the index of this name or, where the statement has none, for the table's indexes that are not valid.
    pub(crate) fn look(&self) -> String {
        let table = format!("pg_catalog.to_regclass({})", literal(&self.table));
        match &self.name {
            Some(name) => look(&format!(
                "c.relname = {} AND c.relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = {table})",
                literal(name)
            )),
            None => look(&format!("i.indrelid = {table} AND NOT i.indisvalid")),
        }
    }
}

/// A query for what a failed `REINDEX … CONCURRENTLY` leaves.
pub(crate) const LEFT_BY_REINDEX: &str = r"NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$'";

/// A query for indexes.
pub(crate) fn look(condition: &str) -> String {
    // Of the sessions of others, a user without rights sees no more than that they build.
    format!(
        "SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), i.indisvalid, \
         (SELECT min(p.pid) FROM pg_catalog.pg_stat_progress_create_index p WHERE p.pid <> pg_catalog.pg_backend_pid() \
         AND (p.index_relid = c.oid OR p.index_relid IS NULL AND EXISTS (SELECT 1 FROM pg_catalog.pg_locks l WHERE l.pid = p.pid \
         AND l.relation = i.indrelid AND l.mode = 'ShareUpdateExclusiveLock'))) \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {condition}"
    )
}

/// Reads a row of [`look`].
pub(crate) fn found(row: lockage_sql::Row) -> Option<Found> {
    let [oid, name, valid, builder] = <[Option<String>; 4]>::try_from(row).ok()?;
    Some(Found {
        oid: oid?,
        name: name?,
        valid: valid? == "t",
        builder,
    })
}

/// The name at the start of some words, quoted, with its schema where it has one.
pub(crate) fn qualified(words: impl IntoIterator<Item = impl AsRef<str>>) -> Option<String> {
    let mut words = words.into_iter();
    let first = quoted(words.next()?.as_ref());
    Some(match (words.next(), words.next()) {
        (Some(dot), Some(second)) if dot.as_ref() == "." => {
            format!("{first}.{}", quoted(second.as_ref()))
        }
        _ => first,
    })
}

/// A name as the server keeps it.
pub(crate) fn unquoted(word: &str) -> String {
    match word
        .strip_prefix('"')
        .and_then(|word| word.strip_suffix('"'))
    {
        Some(name) => name.replace("\"\"", "\""),
        None => word.to_lowercase(),
    }
}

fn quoted(word: &str) -> String {
    lockage_sql::double_quoted(&unquoted(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(name: Option<&str>, table: &str) -> Option<Build> {
        Some(Build {
            name: name.map(str::to_owned),
            table: table.to_owned(),
        })
    }

    #[test]
    fn names_of_index_and_table() {
        for (statement, expected) in [
            (
                "CREATE INDEX CONCURRENTLY i ON t (a)",
                build(Some("i"), "\"t\""),
            ),
            (
                "create unique index concurrently if not exists \"My \"\"I\" on only S.\"T\" using btree (a)",
                build(Some("My \"I"), "\"s\".\"T\""),
            ),
            (
                "CREATE INDEX CONCURRENTLY ON s . t(a)",
                build(None, "\"s\".\"t\""),
            ),
            (
                "CREATE INDEX CONCURRENTLY -- c\n \"on\" ON t (a)",
                build(Some("on"), "\"t\""),
            ),
            ("CREATE INDEX i ON t (a)", None),
            ("DROP INDEX CONCURRENTLY i", None),
            ("CREATE INDEX CONCURRENTLY", None),
        ] {
            assert_eq!(Build::parse(statement), expected, "{statement}");
        }
    }
}
