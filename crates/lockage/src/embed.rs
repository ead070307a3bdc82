use crate::{EmbeddedFile, MigrationSet};

/// Puts a folder of migrations into the program: a [`MigrationSet`] that needs no files at run time.
///
/// The path is relative to the folder of `Cargo.toml`. The folder is checked when the program is built, by the code that would
/// check it at run time: each mistake in a name, an encoding or a directive is an error of the compiler, with file and line.
///
/// ```ignore
/// let report = lockage::migrate(&url, lockage::embed!("migrations")).await?;
/// ```
///
/// # New files
/// The compiler tells Cargo of every file that it has read, so a changed or removed file rebuilds the program. Of a file that is
/// **added** it cannot know; a build script can. Write a `build.rs` beside `Cargo.toml`, or add the line to yours:
///
/// ```text
/// fn main() {
///     println!("cargo::rerun-if-changed=migrations");
/// }
/// ```
///
/// In a package without a build script the macro is an error that says the same. In a package with one, this line is yours to
/// keep.
#[macro_export]
macro_rules! embed {
    ($($folder:tt)*) => {
        $crate::__private::embed!($crate, $($folder)*)
    };
}

/// What the macro expands to.
///
/// # Panics
/// When the files break a rule, which the macro has ruled out.
#[doc(hidden)]
pub fn embedded(files: &'static [EmbeddedFile]) -> MigrationSet {
    match MigrationSet::from_embedded(files) {
        Ok(set) => set,
        Err(error) => {
            panic!("the embedded migrations were checked when they were embedded: {error}")
        }
    }
}
