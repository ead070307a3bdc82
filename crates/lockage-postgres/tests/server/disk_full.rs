//! A full disk: a small file system that holds a tablespace.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use lockage_core::ErrorKind;
use lockage_testkit::TestError;

use crate::error_checks::{error_line, expect_error};
use crate::migrations::no_transaction;
use crate::private_server;
use crate::test_database::TestDatabase;

crate::tests!(full_disk_is_reported_and_rolled_back);

/// Returns why no small disk can be mounted.
pub(crate) fn unavailable_reason() -> Option<String> {
    let ran = Command::new("unshare").args(["--mount", "true"]).output();
    (!ran.is_ok_and(|ran| ran.status.success()))
        .then(|| "no privilege to mount a small disk (root)".into())
}

/// A file system of 16 MiB in memory, which is unmounted when it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts it inside a folder. It belongs to the owner of the folder.
    fn new(folder: &Path) -> Result<Self, TestError> {
        let at = folder.join("small");
        std::fs::create_dir(&at)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m,mode=700", "tmpfs"])
            .arg(&at)
            .status()?;
        if !mounted.success() {
            return Err(format!("mount: {mounted}").into());
        }
        let disk = Self(at);
        let owner = std::fs::metadata(folder)?;
        chown(&disk.0, Some(owner.uid()), Some(owner.gid()))?;
        Ok(disk)
    }

    /// Increases its size.
    fn grow(&self) -> Result<(), TestError> {
        let grown = Command::new("mount")
            .args(["-o", "remount,size=64m"])
            .arg(&self.0)
            .status()?;
        match grown.success() {
            true => Ok(()),
            false => Err(format!("mount: {grown}").into()),
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

async fn full_disk_is_reported_and_rolled_back(_: &TestDatabase) -> Result<(), TestError> {
    let server = private_server::start(crate::search_path(), &[])?;
    let disk = SmallDisk::new(server.folder())?;
    let database = TestDatabase::new(server.url("postgres")).await?;
    database
        .execute(&format!(
            "CREATE TABLESPACE small LOCATION '{}'",
            disk.0.display()
        ))
        .await?;
    let fill = |rows: u32| {
        format!(
            "CREATE UNLOGGED TABLE b (t text) TABLESPACE small;\n\
             INSERT INTO b SELECT repeat('x', 1000) FROM generate_series(1, {rows})"
        )
    };
    let (too_much, enough) = (fill(50_000), fill(50));
    let a = ("V1__a.sql", "CREATE TABLE a (n int)");
    let runner = database.runner(&[a, ("V2__b.sql", &too_much)])?;
    let error = expect_error(runner, ErrorKind::MigrationFailed).await?;
    assert!(
        error.message().contains("the disk of the server is full"),
        "{error}"
    );
    assert_eq!(error_line(&error), Some(2), "{error:?}");
    assert_eq!(
        database
            .texts("SELECT version FROM lockage_history")
            .await?,
        ["1"]
    );
    assert!(!database.has_table("b").await?);
    // Outside a transaction, committed statements stay, and the next run continues after them.
    let runner = database.runner(&[a, ("V2__b.sql", &no_transaction(&too_much))])?;
    expect_error(runner, ErrorKind::MigrationFailed).await?;
    assert_eq!(database.text("SELECT count(*) FROM b").await?, "0");
    disk.grow()?;
    database
        .runner(&[a, ("V2__b.sql", &no_transaction(&enough))])?
        .up()
        .await?;
    assert_eq!(database.text("SELECT count(*) FROM b").await?, "50");
    Ok(())
}
