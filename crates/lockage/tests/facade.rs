//! The functions of the facade, without a database.

use std::path::Path;

use lockage::{ErrorKind, IntoMigrations, MigrationSet};

#[test]
fn migrations_are_a_set_or_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("V1__a.sql"), "SELECT 1;").unwrap();
    let path: &Path = folder.path();
    let text = path.to_str().unwrap();
    let set = MigrationSet::from_texts([("V1__a.sql", "SELECT 1;")]).unwrap();
    let sum = |set: MigrationSet| set.iter().map(|m| m.checksum()).collect::<Vec<_>>();
    for read in [
        path.into_migrations(),
        path.to_owned().into_migrations(),
        (&path.to_owned()).into_migrations(),
        text.into_migrations(),
        text.to_owned().into_migrations(),
        (&text.to_owned()).into_migrations(),
        (&set).into_migrations(),
        set.clone().into_migrations(),
    ] {
        assert_eq!(sum(read.unwrap()), sum(set.clone()));
    }
}

#[test]
fn runner_reports_invalid_arguments_before_connecting() {
    let set = MigrationSet::from_texts([("V1__a.sql", "SELECT 1;")]).unwrap();
    let missing = tempfile::tempdir().unwrap().path().join("missing");
    let kind = |runner: lockage::Result<lockage::Runner>| runner.unwrap_err().kind();
    assert_eq!(
        kind(lockage::runner("no url", &set)),
        ErrorKind::InvalidConfig
    );
    assert_eq!(
        kind(lockage::runner("oracle:x", &set)),
        ErrorKind::UnknownBackend
    );
    assert_eq!(
        kind(lockage::runner("oracle:x", missing)),
        ErrorKind::UnknownBackend
    );
}
