//! The schema before a statement, as the journal records it.

use std::fmt::Write;

use lockage_core::Result;

use super::fingerprint::Fingerprint;
use super::object::{self, ObjectState};
use crate::driver::DriverConnection;
use crate::error;
use crate::server_info::ServerInfo;
use crate::statement::{DdlEffect, Name, ObjectChange};

/// Written in place of a hash that was not read, or that the user may not see.
pub(super) const UNKNOWN: &str = "?";

/// The schema before a statement: a line of words, and after it the text that really ran, if it is not that of the script
/// (`EXECUTE`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// A hash of all objects that the statement does not change.
    pub(super) other_objects: String,
    /// When the server started, in seconds since 1970.
    pub(super) started_at: u64,
    /// The objects that the statement changes, in the order of the statement.
    pub(super) objects: Vec<ObjectState>,
    /// The text that really ran.
    pub(super) effective: Option<String>,
}

impl Snapshot {
    fn to_text(&self) -> String {
        let mut text = format!("1 {} {}", self.other_objects, self.started_at);
        for object in &self.objects {
            let _ = write!(text, " {}", object.to_word());
        }
        if let Some(effective) = &self.effective {
            let _ = write!(text, "\n{effective}");
        }
        text
    }

    /// Parses the text of [`snapshot`]; `None` if another format was written.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (line, effective) = match text.split_once('\n') {
            Some((line, effective)) => (line, Some(effective.to_owned())),
            None => (text, None),
        };
        let mut words = line.split(' ');
        if words.next() != Some("1") {
            return None;
        }
        Some(Self {
            other_objects: words.next()?.to_owned(),
            started_at: words.next()?.parse().ok()?,
            objects: words.map(ObjectState::from_word).collect(),
            effective,
        })
    }
}

/// Returns the schema before a statement with this effect, as text for the journal. `effective` is the text that really runs, if it is
/// not that of the script.
pub(crate) async fn snapshot(
    driver: &mut DriverConnection,
    server: &ServerInfo,
    database: &str,
    effect: &DdlEffect,
    effective: Option<&str>,
) -> Result<String> {
    let (others, objects) = match effect {
        DdlEffect::Idempotent | DdlEffect::Unknown => (UNKNOWN.to_owned(), Vec::new()),
        DdlEffect::Truncates(table) => {
            let storage = read_storage(driver, server, table).await?;
            (UNKNOWN.to_owned(), vec![storage])
        }
        DdlEffect::Changes(changes) => {
            // The whole schema is read only if the objects alone may not show the effect: with a thousand tables it takes a while.
            let others = if changes.iter().all(ObjectChange::is_verifiable) {
                UNKNOWN.to_owned()
            } else {
                other_objects(driver, database, changes).await?
            };
            (others, read_all(driver, changes).await?)
        }
    };
    Ok(Snapshot {
        other_objects: others,
        started_at: server.started_at,
        objects,
        effective: effective.map(str::to_owned),
    }
    .to_text())
}

/// Reads the states of all objects that a statement changes.
pub(super) async fn read_all(
    driver: &mut DriverConnection,
    changes: &[ObjectChange],
) -> Result<Vec<ObjectState>> {
    let mut objects = Vec::with_capacity(changes.len());
    for change in changes {
        objects.push(object::read(driver, change.object, &change.name).await?);
    }
    Ok(objects)
}

/// Reads the state of a table's storage.
pub(super) async fn read_storage(
    driver: &mut DriverConnection,
    server: &ServerInfo,
    table: &Name,
) -> Result<ObjectState> {
    let storage = object::storage_id(driver, server.product, table).await?;
    Ok(storage.map_or(ObjectState::Hidden, ObjectState::Present))
}

/// Returns a hash of all objects that a statement does not change; [`UNKNOWN`] if the server does not show them to this user.
pub(super) async fn other_objects(
    driver: &mut DriverConnection,
    database: &str,
    changes: &[ObjectChange],
) -> Result<String> {
    match Fingerprint::read(driver, database).await {
        Ok(fingerprint) => Ok(fingerprint.excluding(changes)),
        Err(failed) if error::is_access_denied(&failed.error) => Ok(UNKNOWN.into()),
        Err(failed) => Err(failed.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshot_is_parsed_from_its_text() {
        for snapshot in [
            Snapshot {
                other_objects: "?".into(),
                started_at: 0,
                objects: Vec::new(),
                effective: None,
            },
            Snapshot {
                other_objects: "ab".into(),
                started_at: 1_800_000_000,
                objects: vec![
                    ObjectState::Absent,
                    ObjectState::Hidden,
                    ObjectState::Present("cd".into()),
                ],
                effective: Some("ALTER TABLE t\nADD c INT".into()),
            },
        ] {
            assert_eq!(Snapshot::parse(&snapshot.to_text()), Some(snapshot));
        }
        assert_eq!(Snapshot::parse("2 x"), None);
    }
}
