//! The macro [`embed!`](crate::embed).

use crate::{EmbeddedFile, MigrationSet};

/// Embeds a folder of migrations into the program and returns a [`MigrationSet`], which needs no files at run time.
///
/// The path is relative to the folder of `Cargo.toml`. The folder is checked when the program is compiled, by the same code that
/// checks it at run time. Each invalid name, encoding or directive is a compile error with file and line.
///
/// ```ignore
/// let report = lockage::migrate(&url, lockage::embed!("migrations")).await?;
/// ```
///
/// # New files
/// The compiler reports to Cargo every file that it reads, so a changed or removed file rebuilds the program. It cannot report a
/// file that is **added**; a build script can. Create a `build.rs` beside `Cargo.toml`, or add this line to an existing one:
///
/// ```text
/// fn main() {
///     println!("cargo::rerun-if-changed=migrations");
/// }
/// ```
///
/// In a package without a build script the macro is a compile error with this instruction. In a package with a build script the
/// macro cannot check that it contains the line.
#[macro_export]
macro_rules! embed {
    ($($folder:tt)*) => {
        $crate::__private::embed!($crate, $($folder)*)
    };
}

/// Creates the migration set. The macro expands to a call of this function.
///
/// # Panics
/// If a file is invalid. The macro has checked the files.
#[doc(hidden)]
pub fn embedded(files: &'static [EmbeddedFile]) -> MigrationSet {
    match MigrationSet::from_embedded(files) {
        Ok(set) => set,
        Err(error) => {
            panic!("the embedded migrations were checked when they were embedded: {error}")
        }
    }
}
