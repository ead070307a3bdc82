use std::path::PathBuf;

use crate::cell::Cell;

/// The cells, and the program under test.
#[derive(Debug, Clone)]
pub struct Matrix {
    pub(crate) cells: &'static [Cell],
    pub(crate) program: (&'static str, &'static str),
    pub(crate) root: PathBuf,
    pub(crate) with_workspace: bool,
}

impl Matrix {
    /// Creates a matrix of `cells`. `program` is the package and the name of the command-line program that links the backend. It is used
    /// to test whether a server is ready. Cargo runs in the current directory.
    pub fn new(cells: &'static [Cell], program: (&'static str, &'static str)) -> Self {
        Self {
            cells,
            program,
            root: PathBuf::from("."),
            with_workspace: false,
        }
    }

    /// Sets the folder in which Cargo runs.
    #[must_use]
    pub fn in_folder(mut self, root: PathBuf) -> Self {
        self.root = root;
        self
    }

    /// Adds a cell `workspace` with the tests of all packages that no other cell names.
    #[must_use]
    pub fn with_workspace(mut self) -> Self {
        self.with_workspace = true;
        self
    }
}
