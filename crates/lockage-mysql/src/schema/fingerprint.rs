//! A hash for each object of a database, which detects a change anywhere in the schema.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::dialect::literal;
use crate::driver::{DriverConnection, QueryError};
use crate::hex::short_hex;
use crate::statement::{Object, ObjectChange};

/// The kind of an object, the view of `information_schema`, its columns for the database and for the object's name, and the columns
/// that define the object. Statistics and counters are omitted: they change by themselves.
const VIEWS: &[(&str, &str, &str, &str, &str)] = &[
    (
        "t",
        "TABLES",
        "TABLE_SCHEMA",
        "TABLE_NAME",
        "TABLE_TYPE, ENGINE, TABLE_COLLATION, CREATE_OPTIONS",
    ),
    (
        "t",
        "COLUMNS",
        "TABLE_SCHEMA",
        "TABLE_NAME",
        "COLUMN_NAME, ORDINAL_POSITION, COLUMN_DEFAULT, IS_NULLABLE, COLUMN_TYPE, COLLATION_NAME, EXTRA, COLUMN_COMMENT, \
         GENERATION_EXPRESSION",
    ),
    (
        "t",
        "STATISTICS",
        "TABLE_SCHEMA",
        "TABLE_NAME",
        "INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, NON_UNIQUE, COLLATION, SUB_PART, INDEX_TYPE, INDEX_COMMENT",
    ),
    (
        "t",
        "TABLE_CONSTRAINTS",
        "TABLE_SCHEMA",
        "TABLE_NAME",
        "CONSTRAINT_NAME, CONSTRAINT_TYPE",
    ),
    (
        "t",
        "KEY_COLUMN_USAGE",
        "TABLE_SCHEMA",
        "TABLE_NAME",
        "CONSTRAINT_NAME, COLUMN_NAME, ORDINAL_POSITION, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME",
    ),
    (
        "t",
        "REFERENTIAL_CONSTRAINTS",
        "CONSTRAINT_SCHEMA",
        "TABLE_NAME",
        "CONSTRAINT_NAME, UPDATE_RULE, DELETE_RULE",
    ),
    (
        "t",
        "PARTITIONS",
        "TABLE_SCHEMA",
        "TABLE_NAME",
        "PARTITION_NAME, SUBPARTITION_NAME, PARTITION_METHOD, PARTITION_EXPRESSION, PARTITION_DESCRIPTION",
    ),
    (
        "t",
        "VIEWS",
        "TABLE_SCHEMA",
        "TABLE_NAME",
        "VIEW_DEFINITION, CHECK_OPTION, SECURITY_TYPE, DEFINER",
    ),
    (
        "g",
        "TRIGGERS",
        "TRIGGER_SCHEMA",
        "TRIGGER_NAME",
        "EVENT_MANIPULATION, EVENT_OBJECT_TABLE, ACTION_ORDER, ACTION_STATEMENT, ACTION_TIMING, SQL_MODE, DEFINER",
    ),
    (
        "r",
        "ROUTINES",
        "ROUTINE_SCHEMA",
        "ROUTINE_NAME",
        "ROUTINE_TYPE, DTD_IDENTIFIER, ROUTINE_DEFINITION, SQL_MODE, DEFINER, SECURITY_TYPE",
    ),
    (
        "r",
        "PARAMETERS",
        "SPECIFIC_SCHEMA",
        "SPECIFIC_NAME",
        "ORDINAL_POSITION, PARAMETER_MODE, PARAMETER_NAME, DTD_IDENTIFIER",
    ),
    (
        "e",
        "EVENTS",
        "EVENT_SCHEMA",
        "EVENT_NAME",
        "EVENT_DEFINITION, EVENT_TYPE, INTERVAL_VALUE, INTERVAL_FIELD, STATUS, ON_COMPLETION",
    ),
];

/// A hash for each object of a database, by kind and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fingerprint(BTreeMap<(String, String), String>);

impl Fingerprint {
    /// Reads the fingerprint in one query. Objects that the user cannot see are omitted.
    pub(super) async fn read(
        driver: &mut DriverConnection,
        database: &str,
    ) -> Result<Self, QueryError> {
        let rows = driver
            .query_sets(&query(database))
            .await?
            .into_iter()
            .next()
            .unwrap_or_default();
        Ok(Self(
            rows.into_iter()
                .map(|row| {
                    let mut columns = row.into_iter().map(Option::unwrap_or_default);
                    let mut next = || columns.next().unwrap_or_default();
                    (
                        (next(), next().to_lowercase()),
                        format!("{}{}{}", next(), next(), next()),
                    )
                })
                .collect(),
        ))
    }

    /// Returns one hash for all objects except those of `changes`.
    pub(super) fn excluding(&self, changes: &[ObjectChange]) -> String {
        let mut hasher = Sha256::new();
        let others = self.0.iter().filter(|((kind, name), _)| {
            !changes.iter().any(|change| {
                kind_of(change.object) == kind && change.name.name.to_lowercase() == *name
            })
        });
        for ((kind, name), hash) in others {
            for part in [kind, name, hash] {
                hasher.update(part);
                hasher.update([0]);
            }
        }
        short_hex(&hasher.finalize())
    }
}

fn kind_of(object: Object) -> &'static str {
    match object {
        Object::Trigger => "g",
        Object::Procedure | Object::Function => "r",
        Object::Event => "e",
        _ => "t",
    }
}

/// Returns a query in which the server combines the hashes of each object's rows. The order of the rows does not matter.
fn query(database: &str) -> String {
    let database = literal(database);
    let parts: Vec<String> = VIEWS
        .iter()
        .map(|(kind, view, schema, name, columns)| {
            let columns: Vec<String> = columns
                .split(", ")
                .map(|column| format!("IFNULL({column}, '\\0')"))
                .collect();
            format!(
                "SELECT '{kind}' AS k, {name} AS n, SHA2(CONCAT_WS('\\n', '{view}', {}), 256) AS h \
                 FROM information_schema.{view} WHERE {schema} = {database}",
                columns.join(", ")
            )
        })
        .collect();
    let half =
        |from: u32| format!("BIT_XOR(CAST(CONV(SUBSTR(h, {from}, 16), 16, 10) AS UNSIGNED))");
    format!(
        "SELECT k, n, {}, {}, COUNT(*) FROM ({}) AS parts WHERE n NOT IN ('{}', '{}', '{}') GROUP BY k, n",
        half(1),
        half(17),
        parts.join(" UNION ALL "),
        lockage_sql::HISTORY_TABLE,
        lockage_sql::JOURNAL_TABLE,
        lockage_sql::LOCK_TABLE,
    )
}
