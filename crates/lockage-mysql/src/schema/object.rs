//! One object, as the server shows it.

use sha2::{Digest, Sha256};

use crate::dialect::{backticked, literal};
use crate::error;
use crate::facts::Flavour;
use crate::statement::{Name, Object, Part};
use crate::wire::{Broken, Wire};

/// What there is to see of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    Absent,
    /// The hash of its definition.
    Present(String),
    /// The user may not see it, or the server cannot show it.
    Hidden,
}

impl Seen {
    pub(super) fn to_word(&self) -> &str {
        match self {
            Self::Absent => "-",
            Self::Present(hash) => hash,
            Self::Hidden => "?",
        }
    }

    pub(super) fn from_word(word: &str) -> Self {
        match word {
            "-" => Self::Absent,
            "?" => Self::Hidden,
            hash => Self::Present(hash.to_owned()),
        }
    }
}

/// A name as it stands in SQL.
pub(super) fn quoted(name: &Name) -> String {
    match &name.database {
        Some(database) => format!("{}.{}", backticked(database), backticked(&name.name)),
        None => backticked(&name.name),
    }
}

/// No such table, database, routine, trigger, event, sequence, or none of this kind.
const ABSENT: &[u16] = &[1049, 1051, 1146, 1305, 1347, 1360, 1539, 4089, 4091];

/// Looks at an object. An error that is not about the object itself is given back.
pub(super) async fn look(wire: &mut Wire, object: Object, name: &Name) -> Result<Seen, Broken> {
    let sql = format!("SHOW CREATE {} {}", object.word(), quoted(name));
    match wire.ask(&sql).await {
        Ok(sets) => {
            let row = sets.into_iter().flatten().next().unwrap_or_default();
            let mut hasher = Sha256::new();
            for column in row.into_iter().flatten() {
                hasher.update(without_counter(&column));
                hasher.update([0]);
            }
            Ok(Seen::Present(super::short_hex(&hasher.finalize())))
        }
        Err(broken) => match error::number(&broken.error) {
            Some(number) if ABSENT.contains(&number) => Ok(Seen::Absent),
            _ if error::hides(&broken.error) => Ok(Seen::Hidden),
            _ => Err(broken),
        },
    }
}

/// A definition without the table's counter, which goes on with every row.
fn without_counter(definition: &str) -> String {
    const COUNTER: &str = " AUTO_INCREMENT=";
    match definition.rfind(COUNTER) {
        Some(at) => {
            let behind = definition[at + COUNTER.len()..]
                .trim_start_matches(|digit: char| digit.is_ascii_digit());
            format!("{}{behind}", &definition[..at])
        }
        None => definition.to_owned(),
    }
}

/// Whether a table has a part.
pub(super) async fn has(wire: &mut Wire, table: &Name, part: &Part) -> Result<bool, Broken> {
    let schema = table
        .database
        .as_deref()
        .map_or_else(|| "DATABASE()".to_owned(), literal);
    let of_table = format!(
        "TABLE_SCHEMA = {schema} AND TABLE_NAME = {}",
        literal(&table.name)
    );
    let found = |view: &str, column: &str, name: &str| {
        format!(
            "EXISTS (SELECT 1 FROM information_schema.{view} WHERE {of_table} AND {column} = {})",
            literal(name)
        )
    };
    let condition = match part {
        Part::Column(name) => found("COLUMNS", "COLUMN_NAME", name),
        Part::Key(name) => format!(
            "{} OR {}",
            found("STATISTICS", "INDEX_NAME", name),
            found("TABLE_CONSTRAINTS", "CONSTRAINT_NAME", name)
        ),
        Part::PrimaryKey => found("TABLE_CONSTRAINTS", "CONSTRAINT_TYPE", "PRIMARY KEY"),
        Part::Partition(name) => found("PARTITIONS", "PARTITION_NAME", name),
    };
    let sets = wire.ask(&format!("SELECT {condition}")).await?;
    Ok(is_one(&sets))
}

/// Whether a table has no rows.
pub(super) async fn is_empty(wire: &mut Wire, table: &Name) -> Result<bool, Broken> {
    let sets = wire
        .ask(&format!(
            "SELECT NOT EXISTS (SELECT 1 FROM {})",
            quoted(table)
        ))
        .await?;
    Ok(is_one(&sets))
}

fn is_one(sets: &[Vec<lockage_sql::Row>]) -> bool {
    let value = sets
        .first()
        .and_then(|rows| rows.first()?.first()?.as_deref());
    value == Some("1")
}

/// The number of a table's storage, another after each `TRUNCATE`; `None` where the server does not show it to this user.
pub(super) async fn storage(
    wire: &mut Wire,
    flavour: Flavour,
    table: &Name,
) -> Result<Option<String>, Broken> {
    // Other characters stand encoded in the names there.
    let plain = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if !plain(&table.name)
        || table
            .database
            .as_deref()
            .is_some_and(|database| !plain(database))
    {
        return Ok(None);
    }
    let view = match flavour {
        Flavour::MySql => "INNODB_TABLES",
        Flavour::MariaDb => "INNODB_SYS_TABLES",
    };
    let schema = table
        .database
        .as_deref()
        .map_or_else(|| "DATABASE()".to_owned(), literal);
    let sql = format!(
        "SELECT TABLE_ID FROM information_schema.{view} WHERE NAME = CONCAT({schema}, '/', {})",
        literal(&table.name)
    );
    match wire.ask(&sql).await {
        Ok(sets) => Ok(sets
            .into_iter()
            .flatten()
            .next()
            .and_then(|row| row.into_iter().next()?)),
        Err(broken) if error::hides(&broken.error) => Ok(None),
        Err(broken) => Err(broken),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_no_part_of_a_definition() {
        let definition = "CREATE TABLE `t` (\n `a` int\n) ENGINE=InnoDB AUTO_INCREMENT=42 DEFAULT CHARSET=utf8mb4";
        assert_eq!(
            without_counter(definition),
            definition.replace(" AUTO_INCREMENT=42", "")
        );
        assert_eq!(without_counter("x"), "x");
    }
}
