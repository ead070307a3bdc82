//! A crate outside the workspace that depends on this one, like the crate of a user.
#![allow(dead_code, reason = "each test uses a part")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A crate in its own folder. All such crates share one target folder, so only one exists at a time.
pub(crate) struct ExternalCrate {
    folder: PathBuf,
    target: PathBuf,
    _folder_lock: File,
}

/// The output of a call of Cargo.
pub(crate) struct CargoOutput {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl ExternalCrate {
    /// Creates a crate with these lines under `[dependencies]`. `{crates}` is replaced by the `crates` folder of the workspace.
    pub(crate) fn new(dependencies: &str) -> Self {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("external_crate");
        fs::create_dir_all(&target).unwrap();
        // Other test processes, and other runs of this test, use the same folder.
        let folder_lock = File::create(target.join("lock")).unwrap();
        folder_lock.lock().unwrap();
        let folder = target.join("crate");
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        let this = Self {
            folder,
            target: target.join("target"),
            _folder_lock: folder_lock,
        };
        let dependencies = dependencies.replace("{crates}", &crates.display().to_string());
        this.write(
            "Cargo.toml",
            &format!(
                "[package]\nname = \"external\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\n\
                 [dependencies]\n{dependencies}\n[workspace]\n"
            ),
        );
        // Uses the versions that the build of the workspace has downloaded.
        let lock = crates.parent().unwrap().join("Cargo.lock");
        fs::copy(lock, this.folder.join("Cargo.lock")).unwrap();
        this
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn remove(&self, path: &str) {
        fs::remove_file(self.folder.join(path)).unwrap();
    }

    pub(crate) fn cargo(&self, arguments: &[&str]) -> CargoOutput {
        let out = Command::new(env!("CARGO"))
            .args(arguments)
            .arg("--offline")
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_TERM_COLOR", "never")
            // Cargo sets it for this test if its package has a build script. It must not reach the other crate.
            .env_remove("OUT_DIR")
            .output()
            .unwrap();
        CargoOutput {
            success: out.status.success(),
            stdout: String::from_utf8(out.stdout).unwrap(),
            stderr: String::from_utf8(out.stderr).unwrap(),
        }
    }
}
