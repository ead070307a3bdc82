//! The engines that can contain a message database, and their migrations.

#[cfg(all(
    test,
    feature = "mysql",
    feature = "postgres",
    feature = "sqlite",
    feature = "sqlserver"
))]
mod checksum_tests;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
mod script;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "sqlserver")]
mod sqlserver;
mod traits;

use lockage_core::{Error, ErrorKind, MigrationSet, Result};

pub(crate) use traits::Engine;

use crate::identity::Identity;
use crate::table_names::TableNames;

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

/// Returns the engine of a URL scheme.
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
                "the message database does not support the scheme `{scheme}`; supported: {}",
                known.join(", ")
            ),
        )
        .with_hint("enable the engine as a feature of the crate lockage-message-store")
    })
}

/// Returns the migrations of an engine with names instead of placeholders.
///
/// The checksums are computed before the names are inserted, so that they are equal for all schemas.
pub(crate) fn migrations(
    engine: &dyn Engine,
    identity: Identity,
    names: &TableNames,
) -> Result<MigrationSet> {
    let scripts = engine
        .scripts()
        .iter()
        .map(|(file, text)| (*file, identity.render(text)));
    MigrationSet::from_texts(scripts)?.render(|script| names.render(script))
}

#[cfg(test)]
mod tests {
    use lockage_core::Kind;

    use super::*;

    fn script(set: &MigrationSet, kind: Kind, version: &str) -> String {
        let migration = set.find(kind, &version.parse().unwrap()).unwrap();
        std::io::read_to_string(migration.open().unwrap()).unwrap()
    }

    #[test]
    fn every_placeholder_is_rendered_and_names_are_quoted() {
        for engine in ENGINES {
            let names = engine.table_names(Some("or\"d`e]r's{{table:x}}"));
            for identity in [Identity::Id, Identity::IdAndDestination] {
                let set = migrations(*engine, identity, &names).unwrap();
                assert_eq!(set.iter().count(), 6, "{engine:?}");
                for migration in set.iter() {
                    let text = std::io::read_to_string(migration.open().unwrap()).unwrap();
                    let placeholders = text.matches("{{").count();
                    let in_names = text.matches("{{table:x}}").count();
                    assert_eq!(placeholders, in_names, "{text}");
                    engine
                        .backend()
                        .check_script(migration, &mut |_| {})
                        .unwrap();
                }
                assert!(
                    script(&set, Kind::Undo, "3").contains(&names.table("tenants")),
                    "{engine:?}"
                );
            }
        }
    }

    #[test]
    fn checksums_depend_on_identity_but_not_on_schema() {
        for engine in ENGINES {
            let sums = |identity, schema| -> Vec<String> {
                let set = migrations(*engine, identity, &engine.table_names(schema)).unwrap();
                set.iter()
                    .map(|migration| migration.checksum().to_string())
                    .collect()
            };
            let by_id = sums(Identity::Id, None);
            assert_eq!(by_id, sums(Identity::Id, Some("orders")));
            let by_destination = sums(Identity::IdAndDestination, Some("orders"));
            assert_ne!(by_id[0], by_destination[0]);
            assert_eq!(by_id[1..], by_destination[1..]);
        }
    }

    #[test]
    fn unknown_engine_error_lists_known_schemes() {
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
