//! The facade with a database. The feature links the backend without further code in the program.
#![cfg(feature = "sqlite")]

use lockage::{ErrorKind, MigrationSet, Outcome, Registry};

#[test]
fn feature_links_backend() {
    let registry = Registry::linked().unwrap();
    assert_eq!(registry.find("sqlite").unwrap().name(), "lockage-sqlite");
}

#[tokio::test]
async fn migrate_applies_pending_migrations() {
    let folder = tempfile::tempdir().unwrap();
    let migrations = folder.path().join("migrations");
    std::fs::create_dir(&migrations).unwrap();
    std::fs::write(
        migrations.join("V1__users.sql"),
        "CREATE TABLE users (id INTEGER PRIMARY KEY);",
    )
    .unwrap();
    let url = format!("sqlite:{}", folder.path().join("data/app.db").display());

    let missing = lockage::migrate(&url, &migrations).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Connect);

    let runner = lockage::runner(&url, &migrations).unwrap();
    let report = runner
        .connect_options(|options| options.create = true)
        .up()
        .await
        .unwrap();
    assert_eq!(
        (report.outcome, report.applied.len()),
        (Outcome::Applied, 1)
    );

    let newer = MigrationSet::from_texts([
        (
            "V1__users.sql",
            "CREATE TABLE users (id INTEGER PRIMARY KEY);",
        ),
        ("V2__name.sql", "ALTER TABLE users ADD COLUMN name TEXT;"),
    ])
    .unwrap();
    let report = lockage::migrate(&url, &newer).await.unwrap();
    assert_eq!(
        (report.outcome, report.applied.len()),
        (Outcome::Applied, 1)
    );
    let report = lockage::migrate(&url, newer).await.unwrap();
    assert_eq!(
        (report.outcome, report.took_lock),
        (Outcome::UpToDate, false)
    );
    let report = lockage::migrate(&url, migrations).await.unwrap();
    assert_eq!(
        (report.outcome, report.ahead),
        (Outcome::UpToDate, vec!["2".to_owned()])
    );
}
