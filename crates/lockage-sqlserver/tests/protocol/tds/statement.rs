//! What stands in statements of Lockage's.

use super::world::Row;

/// The texts in quotes.
fn literals(text: &str) -> impl Iterator<Item = &str> {
    text.split("N'")
        .skip(1)
        .filter_map(|rest| rest.split('\'').next())
}

/// The lock of a batch: the text behind `@Resource`, or the second of `APPLOCK_MODE`.
pub(super) fn resource(text: &str) -> String {
    let behind = match text.split_once("@Resource = ") {
        Some((_, behind)) => literals(behind).next(),
        None => text
            .split_once("APPLOCK_MODE(")
            .and_then(|(_, behind)| literals(behind).nth(1)),
    };
    behind.unwrap_or_default().to_owned()
}

/// The number of the piece whose condition is not true.
pub(super) fn refused_piece(line: &str) -> &str {
    line.rsplit_once("N'lockage ")
        .and_then(|(_, rest)| rest.split('\'').next())
        .unwrap_or_default()
}

/// The row that a statement writes into the history.
pub(super) fn inserted(line: &str) -> Option<Row> {
    let rest = line.strip_prefix("INSERT INTO [dbo].[lockage_history] (")?;
    let (_, values) = rest.split_once(" VALUES (")?;
    let values = values.strip_suffix(");")?;
    let value = |text: &str| match text.strip_prefix("N'") {
        Some(text) => text.trim_end_matches('\'').to_owned(),
        None if text == "SYSUTCDATETIME()" => "2026-01-31T09:30:00.123456Z".into(),
        None => text.to_owned(),
    };
    Some(values.split(", ").map(|text| Some(value(text))).collect())
}

/// The version whose row a statement takes away.
pub(super) fn removed_version(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("DELETE FROM [dbo].[lockage_history]")?;
    literals(rest).next()
}
