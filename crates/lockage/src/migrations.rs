//! The trait [`IntoMigrations`].

use std::path::{Path, PathBuf};

use crate::{MigrationSet, Result};

/// A source of migrations for [`migrate`](crate::migrate) and [`runner`](crate::runner): a set, or the path of a folder.
pub trait IntoMigrations {
    /// Reads the migrations.
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

macro_rules! impl_from_path {
    ($($path:ty),*) => {
        $(impl IntoMigrations for $path {
            fn into_migrations(self) -> Result<MigrationSet> {
                MigrationSet::from_folder(self)
            }
        })*
    };
}

impl_from_path!(&str, &String, String, &Path, &PathBuf, PathBuf);
