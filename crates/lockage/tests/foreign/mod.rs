//! A crate outside the workspace that depends on this one, as a user's does.
#![allow(dead_code, reason = "each test uses a part")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A crate in a folder of its own. All of them share one target folder, so only one stands at a time.
pub(crate) struct Foreign {
    folder: PathBuf,
    target: PathBuf,
    _turn: File,
}

/// What a call of Cargo said.
pub(crate) struct Said {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Foreign {
    /// A crate with these lines under `[dependencies]`; `{crates}` in them is the folder of our crates.
    pub(crate) fn new(dependencies: &str) -> Self {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("foreign");
        fs::create_dir_all(&target).unwrap();
        // Other test processes, and other runs of this test, use the same folder.
        let turn = File::create(target.join("turn")).unwrap();
        turn.lock().unwrap();
        let folder = target.join("crate");
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        let this = Self {
            folder,
            target: target.join("target"),
            _turn: turn,
        };
        let dependencies = dependencies.replace("{crates}", &crates.display().to_string());
        this.write(
            "Cargo.toml",
            &format!(
                "[package]\nname = \"foreign\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\n\
                 [dependencies]\n{dependencies}\n[workspace]\n"
            ),
        );
        // The versions that our own build has fetched.
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

    pub(crate) fn cargo(&self, arguments: &[&str]) -> Said {
        let out = Command::new(env!("CARGO"))
            .args(arguments)
            .arg("--offline")
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_TERM_COLOR", "never")
            // Set for this test when its package has a build script; the crate's own is what counts.
            .env_remove("OUT_DIR")
            .output()
            .unwrap();
        Said {
            success: out.status.success(),
            stdout: String::from_utf8(out.stdout).unwrap(),
            stderr: String::from_utf8(out.stderr).unwrap(),
        }
    }
}
