//! A disk that is full: a small one, for a tablespace.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use lockage_core::ErrorKind;
use lockage_testkit::TestError;

use crate::dock;
use crate::place::Place;

crate::tests!(a_full_disk_is_told_and_leaves_nothing_half_done);

/// Why no disk can be made.
pub(crate) fn lacks() -> Option<String> {
    let ran = Command::new("unshare").args(["--mount", "true"]).output();
    (!ran.is_ok_and(|ran| ran.status.success()))
        .then(|| "no right to mount a small disk (root)".into())
}

/// A disk of 16 MiB in memory; gone when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// For whoever owns the folder that it stands in.
    fn new(within: &Path) -> Result<Self, TestError> {
        let at = within.join("small");
        std::fs::create_dir(&at)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m,mode=700", "tmpfs"])
            .arg(&at)
            .status()?;
        if !mounted.success() {
            return Err(format!("mount: {mounted}").into());
        }
        let disk = Self(at);
        let owner = std::fs::metadata(within)?;
        chown(&disk.0, Some(owner.uid()), Some(owner.gid()))?;
        Ok(disk)
    }

    /// Makes room.
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

async fn a_full_disk_is_told_and_leaves_nothing_half_done(_: &Place) -> Result<(), TestError> {
    let server = dock::server(crate::path(), &[])?;
    let disk = SmallDisk::new(server.folder())?;
    let place = Place::new(server.url("postgres")).await?;
    place
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
    let bare = |script: &str| format!("-- lockage: no-transaction\n{script}");
    let a = ("V1__a.sql", "CREATE TABLE a (n int)");
    let error = place
        .runner(&[a, ("V2__b.sql", &too_much)])?
        .up()
        .await
        .err()
        .ok_or("there was room")?;
    assert_eq!(error.kind(), ErrorKind::MigrationFailed, "{error:?}");
    assert!(
        error.message().contains("the disk of the server is full"),
        "{error}"
    );
    assert_eq!(
        error.location().and_then(|location| location.line),
        Some(2),
        "{error:?}"
    );
    assert_eq!(
        place.texts("SELECT version FROM lockage_history").await?,
        ["1"]
    );
    assert!(
        place
            .texts("SELECT 1 FROM pg_tables WHERE tablename = 'b'")
            .await?
            .is_empty()
    );
    // Outside a transaction, what was committed stands, and the next run goes on behind it.
    place
        .runner(&[a, ("V2__b.sql", &bare(&too_much))])?
        .up()
        .await
        .err()
        .ok_or("there was room")?;
    assert_eq!(place.text("SELECT count(*) FROM b").await?, "0");
    disk.grow()?;
    place
        .runner(&[a, ("V2__b.sql", &bare(&enough))])?
        .up()
        .await?;
    assert_eq!(place.text("SELECT count(*) FROM b").await?, "50");
    Ok(())
}
