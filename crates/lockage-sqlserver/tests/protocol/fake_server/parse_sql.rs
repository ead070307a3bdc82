//! Reads the values in the SQL that Lockage generates.

/// A row of the history.
pub(crate) type Row = Vec<Option<String>>;

/// Returns the quoted texts.
fn literals(text: &str) -> impl Iterator<Item = &str> {
    text.split("N'")
        .skip(1)
        .filter_map(|rest| rest.split('\'').next())
}

/// Returns the resource of a batch's lock: the text after `@Resource`, or the second argument of `APPLOCK_MODE`.
pub(super) fn lock_resource(text: &str) -> String {
    let resource = match text.split_once("@Resource = ") {
        Some((_, after)) => literals(after).next(),
        None => text
            .split_once("APPLOCK_MODE(")
            .and_then(|(_, after)| literals(after).nth(1)),
    };
    resource.unwrap_or_default().to_owned()
}

/// Returns the index of the command whose assertion a line contains.
pub(super) fn assertion_index(line: &str) -> &str {
    line.rsplit_once("N'lockage ")
        .and_then(|(_, rest)| rest.split('\'').next())
        .unwrap_or_default()
}

/// Returns the row that a statement inserts into the history.
pub(super) fn inserted_row(line: &str) -> Option<Row> {
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

/// Returns the version whose row a statement deletes.
pub(super) fn deleted_version(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("DELETE FROM [dbo].[lockage_history]")?;
    literals(rest).next()
}
