//! What differs between the engines.

#[cfg(all(
    test,
    feature = "mysql",
    feature = "postgres",
    feature = "sqlite",
    feature = "sqlserver"
))]
mod frozen;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "sqlserver")]
mod sqlserver;

use std::fmt;

use async_trait::async_trait;
use lockage_core::{Backend, ConnectOptions, Error, ErrorKind, MigrationSet, Result};

use crate::identity::Identity;
use crate::place::Place;
use crate::records::Records;

/// A script of the message database, as it was written.
pub(crate) type Template = (&'static str, &'static str);

/// An engine on which a message database can be.
#[async_trait]
pub(crate) trait Engine: fmt::Debug + Send + Sync {
    /// What migrates it.
    fn backend(&self) -> Backend;

    /// The scripts, with holes for names.
    fn templates(&self) -> &'static [Template];

    /// Where the tables stand when a schema is named, or none.
    fn place(&self, schema: Option<&str>) -> Place;

    /// A query for every table of a place with the names of its columns; of others too.
    fn columns(&self, place: &Place) -> String;

    /// The time so many seconds ago, as SQL that can be compared with a column.
    fn seconds_ago(&self, seconds: u64) -> String;

    /// Opens a connection for rows.
    async fn connect(&self, options: &ConnectOptions) -> Result<Box<dyn Records>>;
}

/// The engines that are compiled in.
const ENGINES: &[&dyn Engine] = &[
    #[cfg(feature = "mysql")]
    &mysql::Mysql,
    #[cfg(feature = "postgres")]
    &postgres::Postgres,
    #[cfg(feature = "sqlite")]
    &sqlite::Sqlite,
    #[cfg(feature = "sqlserver")]
    &sqlserver::SqlServer,
];

/// The engine of a URL's scheme.
pub(crate) fn find(scheme: &str) -> Result<&'static dyn Engine> {
    let serves = |engine: &&dyn Engine| {
        let schemes = engine.backend().schemes();
        schemes.iter().any(|own| own.eq_ignore_ascii_case(scheme))
    };
    ENGINES.iter().copied().find(serves).ok_or_else(|| {
        let known: Vec<&str> = ENGINES
            .iter()
            .flat_map(|engine| engine.backend().schemes())
            .copied()
            .collect();
        Error::new(
            ErrorKind::UnknownBackend,
            format!(
                "there is no message database for the scheme `{scheme}`; there is one for: {}",
                known.join(", ")
            ),
        )
        .with_hint("an engine is a feature of the crate lockage-message-store")
    })
}

/// The migrations of an engine, with the names of a place in them. Their checksums are those of the scripts without names: the history of one
/// schema is that of another.
pub(crate) fn migrations(
    engine: &dyn Engine,
    identity: Identity,
    place: &Place,
) -> Result<MigrationSet> {
    let texts = engine
        .templates()
        .iter()
        .map(|(file, text)| (*file, identity.fill(text)));
    MigrationSet::from_texts(texts)?.filled(|script| place.fill(script))
}

/// The scripts of a folder, each with its undo script.
macro_rules! templates {
    ($folder:literal: $($name:literal),* $(,)?) => {
        &[$(
            (
                concat!("message-store/", $folder, "/V", $name, ".sql"),
                include_str!(concat!("../../migrations/", $folder, "/V", $name, ".sql")),
            ),
            (
                concat!("message-store/", $folder, "/U", $name, ".sql"),
                include_str!(concat!("../../migrations/", $folder, "/U", $name, ".sql")),
            ),
        )*]
    };
}
pub(crate) use templates;

#[cfg(test)]
mod tests {
    use lockage_core::Kind;

    use super::*;

    fn script(set: &MigrationSet, kind: Kind, version: &str) -> String {
        let migration = set.find(kind, &version.parse().unwrap()).unwrap();
        std::io::read_to_string(migration.open().unwrap()).unwrap()
    }

    #[test]
    fn every_hole_is_filled_and_names_are_quoted() {
        for engine in ENGINES {
            let place = engine.place(Some("or\"d`e]r's{{table:x}}"));
            for identity in [Identity::Id, Identity::IdAndDestination] {
                let set = migrations(*engine, identity, &place).unwrap();
                assert_eq!(set.iter().count(), 6, "{engine:?}");
                for migration in set.iter() {
                    let text = std::io::read_to_string(migration.open().unwrap()).unwrap();
                    let holes = text.matches("{{").count();
                    let names = text.matches("{{table:x}}").count();
                    assert_eq!(holes, names, "{text}");
                    engine.backend().check_script(migration, &mut |_| {}).unwrap();
                }
                assert!(
                    script(&set, Kind::Undo, "3").contains(&place.table("tenants")),
                    "{engine:?}"
                );
            }
        }
    }

    #[test]
    fn checksums_know_the_identity_and_not_the_schema() {
        for engine in ENGINES {
            let sums = |identity, schema| -> Vec<String> {
                let set = migrations(*engine, identity, &engine.place(schema)).unwrap();
                set.iter()
                    .map(|migration| migration.checksum().to_string())
                    .collect()
            };
            let plain = sums(Identity::Id, None);
            assert_eq!(plain, sums(Identity::Id, Some("orders")));
            let other = sums(Identity::IdAndDestination, Some("orders"));
            assert_ne!(plain[0], other[0]);
            assert_eq!(plain[1..], other[1..]);
        }
    }

    #[test]
    fn an_engine_that_is_not_there_is_told_with_those_that_are() {
        let error = find("oracle").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownBackend);
        for engine in ENGINES {
            for scheme in engine.backend().schemes() {
                assert!(error.message().contains(scheme), "{error}");
                assert_eq!(
                    find(&scheme.to_uppercase()).unwrap().backend().name(),
                    engine.backend().name()
                );
            }
        }
    }
}
