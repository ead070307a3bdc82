//! Reads the source files of the workspace.

use std::fs;
use std::path::Path;

use proc_macro2::TokenStream;

/// The folders with Rust sources.
const RUST_FOLDERS: [&str; 3] = ["crates", "xtask", "tests"];

/// The Markdown files outside `docs`.
const MARKDOWN_FILES: [&str; 4] = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "tests/containers/README.md",
];

/// A file, with its path relative to the root of the workspace.
#[derive(Debug)]
pub(super) struct TextFile {
    pub(super) path: String,
    pub(super) text: String,
}

/// A Rust file. `tokens` is an error message if the file cannot be parsed.
#[derive(Debug)]
pub(super) struct RustFile {
    pub(super) path: String,
    pub(super) text: String,
    pub(super) tokens: Result<TokenStream, String>,
}

/// All source files of the workspace, in the order of their paths.
#[derive(Debug)]
pub(super) struct SourceTree {
    pub(super) rust: Vec<RustFile>,
    pub(super) markdown: Vec<TextFile>,
}

impl SourceTree {
    /// Reads all files below `root`.
    pub(super) fn read(root: &Path) -> Result<Self, String> {
        let mut rust = Vec::new();
        for folder in RUST_FOLDERS {
            collect(root, &root.join(folder), "rs", &mut rust)?;
        }
        let mut markdown = Vec::new();
        for name in MARKDOWN_FILES {
            let path = root.join(name);
            if path.is_file() {
                markdown.push(read_file(root, &path)?);
            }
        }
        collect(root, &root.join("docs"), "md", &mut markdown)?;
        let rust = rust.into_iter().map(|TextFile { path, text }| RustFile {
            tokens: text
                .parse()
                .map_err(|error: proc_macro2::LexError| error.to_string()),
            path,
            text,
        });
        Ok(Self {
            rust: rust.collect(),
            markdown,
        })
    }
}

fn collect(
    root: &Path,
    folder: &Path,
    extension: &str,
    files: &mut Vec<TextFile>,
) -> Result<(), String> {
    if !folder.exists() {
        return Ok(());
    }
    let shown = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(shown)? {
        paths.push(entry.map_err(shown)?.path());
    }
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                collect(root, &path, extension, files)?;
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(read_file(root, &path)?);
        }
    }
    Ok(())
}

fn read_file(root: &Path, path: &Path) -> Result<TextFile, String> {
    Ok(TextFile {
        path: path
            .strip_prefix(root)
            .unwrap_or(path)
            .display()
            .to_string(),
        text: fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?,
    })
}

#[cfg(test)]
impl SourceTree {
    /// Writes files into a temporary folder and reads them.
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self::read(root.path()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_tree_contains_sources_but_no_build_output() {
        let tree = SourceTree::of(&[
            ("crates/a/src/lib.rs", ""),
            ("crates/a/target/b.rs", ""),
            ("target/c.rs", ""),
            ("docs/d.md", ""),
            ("README.md", ""),
        ]);
        let rust: Vec<_> = tree.rust.iter().map(|file| &file.path).collect();
        assert_eq!(rust, ["crates/a/src/lib.rs"]);
        let markdown: Vec<_> = tree.markdown.iter().map(|file| &file.path).collect();
        assert_eq!(markdown, ["README.md", "docs/d.md"]);
    }
}
