//! The script language: one statement in each line.

use std::io::Read;

use lockage_core::{Error, ErrorKind, Location, Migration, Result};

use super::store::Change;

/// A statement of the script language.
#[derive(Debug)]
pub(crate) enum Command {
    Change(Change),
    /// Blocks while the barrier is closed.
    Barrier(String),
    /// Creates a temporary table, which hides a permanent one of the same name.
    CreateTemporary(String),
    /// Changes the setting of the session.
    ChangeSetting,
    /// Inserts 1 if the setting of the session is changed, and 0 otherwise.
    InsertSetting(String),
    /// Releases all locks of the session.
    ReleaseLocks,
}

pub(crate) fn read(migration: &Migration) -> Result<String> {
    let mut text = String::new();
    migration
        .open()?
        .read_to_string(&mut text)
        .map_err(|error| Error::new(ErrorKind::InvalidMigration, error.to_string()))?;
    Ok(text)
}

/// Returns the statements with their line numbers.
pub(crate) fn statements(text: &str) -> impl Iterator<Item = (u32, &str)> {
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with("--"))
}

pub(crate) fn parse(statement: &str, file: &str, line: u32) -> Result<Command> {
    let words: Vec<&str> = statement.split_whitespace().collect();
    let number = |word: &str| word.parse().ok();
    match words[..] {
        ["create", table] => Some(Command::Change(Change::Create(table.into()))),
        ["insert", table, n] => number(n).map(|n| Command::Change(Change::Insert(table.into(), n))),
        ["barrier", barrier] => Some(Command::Barrier(barrier.into())),
        ["create-temporary", table] => Some(Command::CreateTemporary(table.into())),
        ["change-setting"] => Some(Command::ChangeSetting),
        ["insert-setting", table] => Some(Command::InsertSetting(table.into())),
        ["release-locks"] => Some(Command::ReleaseLocks),
        _ => None,
    }
    .ok_or_else(|| {
        Error::new(
            ErrorKind::MigrationFailed,
            format!("`{statement}` is not a statement"),
        )
        .with_location(Location::at(file, line, 1))
    })
}
