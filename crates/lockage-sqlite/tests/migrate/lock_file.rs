//! The file of the lock.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::test_database::TestDatabase;

#[tokio::test]
async fn lock_file_has_mode_and_owner_of_database() {
    let database = TestDatabase::new();
    let first = ("V1__a.sql", "CREATE TABLE a (n)");
    database.runner(&[first]).up().await.unwrap();
    let file = database.folder.path().join("app.db");
    let lock = database.folder.path().join("app.db-lockage-4006.lock");
    set_permissions(&file, Permissions::from_mode(0o660)).unwrap();
    // Only root can give a file to another user.
    let is_root = std::os::unix::fs::chown(&file, Some(1234), Some(4321)).is_ok();
    database
        .runner(&[first, ("V2__b.sql", "CREATE TABLE b (n)")])
        .up()
        .await
        .unwrap();
    let found = lock.metadata().unwrap();
    assert_eq!(found.mode() & 0o777, 0o660);
    if is_root {
        assert_eq!((found.uid(), found.gid()), (1234, 4321));
    }
}
