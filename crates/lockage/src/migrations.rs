use std::path::{Path, PathBuf};

use crate::{MigrationSet, Result};

/// What [`migrate`](crate::migrate) and [`runner`](crate::runner) take for migrations: a set, or the path of a folder.
pub trait IntoMigrations {
    /// Reads them.
    ///
    /// # Errors
    /// As [`MigrationSet::from_folder`].
    fn into_migrations(self) -> Result<MigrationSet>;
}

impl IntoMigrations for MigrationSet {
    fn into_migrations(self) -> Result<MigrationSet> {
        Ok(self)
    }
}

impl IntoMigrations for &MigrationSet {
    fn into_migrations(self) -> Result<MigrationSet> {
        Ok(self.clone())
    }
}

macro_rules! folder {
    ($($path:ty),*) => {
        $(impl IntoMigrations for $path {
            fn into_migrations(self) -> Result<MigrationSet> {
                MigrationSet::from_folder(self)
            }
        })*
    };
}

folder!(&str, &String, String, &Path, &PathBuf, PathBuf);
