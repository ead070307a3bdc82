//! Parses `CREATE INDEX CONCURRENTLY` and reads indexes from the catalog.

use lockage_sql::Row;

use crate::dialect::{literal, qualified_name, to_bool, unquoted};
use crate::statement_mode::{is_concurrent, leading_keywords};

/// A `CREATE INDEX CONCURRENTLY` statement.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CreateIndex {
    /// The name of the index; the server generates a name if it is `None`.
    name: Option<String>,
    /// The table, quoted, with its schema if it has one.
    table: String,
}

/// An index in the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexRow {
    pub(crate) oid: String,
    /// The name, quoted, with its schema.
    pub(crate) name: String,
    pub(crate) valid: bool,
    /// The other session that builds it.
    pub(crate) builder: Option<String>,
}

impl CreateIndex {
    pub(crate) fn parse(statement: &str) -> Option<Self> {
        let words = leading_keywords(statement);
        if words.first()? != "CREATE" || !is_concurrent(&words) {
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
            table: qualified_name(words)?,
        })
    }

    pub(crate) fn has_name(&self) -> bool {
        self.name.is_some()
    }

    /// Returns a query for the index of this name or, if the statement has no name, for the invalid indexes of the table.
    pub(crate) fn query(&self) -> String {
        let table = format!("pg_catalog.to_regclass({})", literal(&self.table));
        match &self.name {
            Some(name) => index_query(&format!(
                "c.relname = {} AND c.relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = {table})",
                literal(name)
            )),
            None => index_query(&format!("i.indrelid = {table} AND NOT i.indisvalid")),
        }
    }
}

/// The condition, for [`index_query`], of the indexes that a failed `REINDEX … CONCURRENTLY` leaves.
pub(crate) const REINDEX_LEFTOVERS: &str =
    r"NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$'";

/// Returns a query for the indexes that meet a condition; [`parse_row`] reads its rows.
pub(crate) fn index_query(condition: &str) -> String {
    // An unprivileged user sees that other sessions build an index, but not which one: a lock on the table must suffice.
    format!(
        "SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), i.indisvalid, \
         (SELECT min(p.pid) FROM pg_catalog.pg_stat_progress_create_index p WHERE p.pid <> pg_catalog.pg_backend_pid() \
         AND (p.index_relid = c.oid OR p.index_relid IS NULL AND EXISTS (SELECT 1 FROM pg_catalog.pg_locks l WHERE l.pid = p.pid \
         AND l.relation = i.indrelid AND l.mode = 'ShareUpdateExclusiveLock'))) \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {condition}"
    )
}

/// Reads a row of [`index_query`].
pub(crate) fn parse_row(row: Row) -> Option<IndexRow> {
    let [oid, name, valid, builder] = <[Option<String>; 4]>::try_from(row).ok()?;
    Some(IndexRow {
        oid: oid?,
        name: name?,
        valid: to_bool(Some(&valid?)),
        builder,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create_index(name: Option<&str>, table: &str) -> Option<CreateIndex> {
        Some(CreateIndex {
            name: name.map(str::to_owned),
            table: table.to_owned(),
        })
    }

    #[test]
    fn create_index_statements_are_parsed() {
        for (statement, expected) in [
            (
                "CREATE INDEX CONCURRENTLY i ON t (a)",
                create_index(Some("i"), "\"t\""),
            ),
            (
                "create unique index concurrently if not exists \"My \"\"I\" on only S.\"T\" using btree (a)",
                create_index(Some("My \"I"), "\"s\".\"T\""),
            ),
            (
                "CREATE INDEX CONCURRENTLY ON s . t(a)",
                create_index(None, "\"s\".\"t\""),
            ),
            (
                "CREATE INDEX CONCURRENTLY -- c\n \"on\" ON t (a)",
                create_index(Some("on"), "\"t\""),
            ),
            ("CREATE INDEX i ON t (a)", None),
            ("DROP INDEX CONCURRENTLY i", None),
            ("CREATE INDEX CONCURRENTLY", None),
        ] {
            assert_eq!(CreateIndex::parse(statement), expected, "{statement}");
        }
    }
}
