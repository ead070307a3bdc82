//! The state of one object, as the server shows it.

use sha2::{Digest, Sha256};

use crate::dialect::{backticked, literal};
use crate::driver::{DriverConnection, QueryError, first_value, to_bool};
use crate::error;
use crate::hex::short_hex;
use crate::server_info::Product;
use crate::statement::{Name, Object, Part};

/// The state of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ObjectState {
    Absent,
    /// The hash of its definition.
    Present(String),
    /// The user may not see the object, or the server cannot show it.
    Hidden,
}

impl ObjectState {
    /// Returns the text for the journal.
    pub(super) fn to_word(&self) -> &str {
        match self {
            Self::Absent => "-",
            Self::Present(hash) => hash,
            Self::Hidden => "?",
        }
    }

    /// Parses the text of [`to_word`](Self::to_word).
    pub(super) fn from_word(word: &str) -> Self {
        match word {
            "-" => Self::Absent,
            "?" => Self::Hidden,
            hash => Self::Present(hash.to_owned()),
        }
    }
}

/// Returns a name as SQL.
pub(super) fn quoted(name: &Name) -> String {
    match &name.database {
        Some(database) => format!("{}.{}", backticked(database), backticked(&name.name)),
        None => backticked(&name.name),
    }
}

/// No such database, table, routine, trigger, event or sequence, or no object of this kind.
const NO_SUCH_OBJECT: &[u16] = &[1049, 1051, 1146, 1305, 1347, 1360, 1539, 4089, 4091];

/// Reads the state of an object.
///
/// # Errors
/// Returns an error only if it does not concern the object itself.
pub(super) async fn read(
    driver: &mut DriverConnection,
    object: Object,
    name: &Name,
) -> Result<ObjectState, QueryError> {
    let sql = format!("SHOW CREATE {} {}", object.keyword(), quoted(name));
    match driver.query_sets(&sql).await {
        Ok(sets) => {
            let row = sets.into_iter().flatten().next().unwrap_or_default();
            let mut hasher = Sha256::new();
            for column in row.into_iter().flatten() {
                hasher.update(strip_auto_increment(&column));
                hasher.update([0]);
            }
            Ok(ObjectState::Present(short_hex(&hasher.finalize())))
        }
        Err(failed) => match failed.number() {
            Some(number) if NO_SUCH_OBJECT.contains(&number) => Ok(ObjectState::Absent),
            _ if error::is_access_denied(&failed.error) => Ok(ObjectState::Hidden),
            _ => Err(failed),
        },
    }
}

/// Removes the table's counter, which changes with every row.
fn strip_auto_increment(definition: &str) -> String {
    const COUNTER: &str = " AUTO_INCREMENT=";
    match definition.rfind(COUNTER) {
        Some(at) => {
            let suffix = definition[at + COUNTER.len()..]
                .trim_start_matches(|digit: char| digit.is_ascii_digit());
            format!("{}{suffix}", &definition[..at])
        }
        None => definition.to_owned(),
    }
}

/// Returns whether a table has a part.
pub(super) async fn has_part(
    driver: &mut DriverConnection,
    table: &Name,
    part: &Part,
) -> Result<bool, QueryError> {
    let schema = schema_sql(table);
    let of_table = format!(
        "TABLE_SCHEMA = {schema} AND TABLE_NAME = {}",
        literal(&table.name)
    );
    let exists = |view: &str, column: &str, name: &str| {
        format!(
            "EXISTS (SELECT 1 FROM information_schema.{view} WHERE {of_table} AND {column} = {})",
            literal(name)
        )
    };
    let condition = match part {
        Part::Column(name) => exists("COLUMNS", "COLUMN_NAME", name),
        Part::Key(name) => format!(
            "{} OR {}",
            exists("STATISTICS", "INDEX_NAME", name),
            exists("TABLE_CONSTRAINTS", "CONSTRAINT_NAME", name)
        ),
        Part::PrimaryKey => exists("TABLE_CONSTRAINTS", "CONSTRAINT_TYPE", "PRIMARY KEY"),
        Part::Partition(name) => exists("PARTITIONS", "PARTITION_NAME", name),
    };
    let sets = driver.query_sets(&format!("SELECT {condition}")).await?;
    Ok(to_bool(sets))
}

/// Returns whether a table has no rows.
pub(super) async fn is_empty(
    driver: &mut DriverConnection,
    table: &Name,
) -> Result<bool, QueryError> {
    let sql = format!("SELECT NOT EXISTS (SELECT 1 FROM {})", quoted(table));
    Ok(to_bool(driver.query_sets(&sql).await?))
}

/// Returns the number of a table's storage, which each `TRUNCATE` changes; `None` if the server does not show it to this user.
pub(super) async fn storage_id(
    driver: &mut DriverConnection,
    product: Product,
    table: &Name,
) -> Result<Option<String>, QueryError> {
    // The view encodes other characters in names.
    let is_encoded = |text: &str| {
        !text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if is_encoded(&table.name) || table.database.as_deref().is_some_and(is_encoded) {
        return Ok(None);
    }
    let view = match product {
        Product::MySql => "INNODB_TABLES",
        Product::MariaDb => "INNODB_SYS_TABLES",
    };
    let schema = schema_sql(table);
    let sql = format!(
        "SELECT TABLE_ID FROM information_schema.{view} WHERE NAME = CONCAT({schema}, '/', {})",
        literal(&table.name)
    );
    match driver.query_sets(&sql).await {
        Ok(sets) => Ok(first_value(sets)),
        Err(failed) if error::is_access_denied(&failed.error) => Ok(None),
        Err(failed) => Err(failed),
    }
}

/// Returns the database of a table as an SQL expression.
fn schema_sql(table: &Name) -> String {
    table
        .database
        .as_deref()
        .map_or_else(|| "DATABASE()".to_owned(), literal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_increment_is_stripped_from_definition() {
        let definition = "CREATE TABLE `t` (\n `a` int\n) ENGINE=InnoDB AUTO_INCREMENT=42 DEFAULT CHARSET=utf8mb4";
        assert_eq!(
            strip_auto_increment(definition),
            definition.replace(" AUTO_INCREMENT=42", "")
        );
        assert_eq!(strip_auto_increment("x"), "x");
    }
}
