//! Names and sizes of files.

use std::path::Path;

use super::finding::Finding;
use super::source_tree::SourceTree;

/// The longest file.
const MAX_LINES: usize = 600;

/// Names of files and folders that do not say what is inside.
const VAGUE_MODULE_NAMES: [&str; 25] = [
    "anew", "away", "bare", "common", "end", "gone", "helper", "helpers", "home", "mend", "misc",
    "place", "plain", "prelude", "rest", "stand", "stuff", "told", "types", "util", "utils", "way",
    "whole", "witness", "world",
];

pub(super) fn check(tree: &SourceTree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.rust {
        let lines = file.text.lines().count();
        if lines > MAX_LINES {
            findings.push(Finding::about(
                &file.path,
                format!("{lines} lines, more than {MAX_LINES}; split the file"),
            ));
        }
        if let Some(name) = vague_name(Path::new(&file.path)) {
            findings.push(Finding::about(
                &file.path,
                format!("the name `{name}` does not say what is inside; rename it"),
            ));
        }
    }
    findings
}

/// Returns the vague name of a file or of its folder.
fn vague_name(path: &Path) -> Option<&'static str> {
    let stem = path.file_stem()?.to_str()?;
    let folder = path
        .parent()
        .and_then(|folder| folder.file_name()?.to_str());
    VAGUE_MODULE_NAMES
        .into_iter()
        .find(|name| *name == stem || folder == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let findings = check(&SourceTree::of(&[(path, text)]));
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn too_long_file_is_reported() {
        assert!(findings("crates/a/src/lock.rs", &"\n".repeat(MAX_LINES)).is_empty());
        let found = findings("crates/a/src/lock.rs", &"\n".repeat(MAX_LINES + 1));
        assert_eq!(
            found,
            ["crates/a/src/lock.rs: 601 lines, more than 600; split the file"]
        );
    }

    #[test]
    fn vague_file_name_is_reported() {
        for path in [
            "crates/a/src/utils.rs",
            "tests/common/mod.rs",
            "xtask/src/gone.rs",
        ] {
            assert_eq!(findings(path, "").len(), 1, "{path}");
        }
        assert!(findings("crates/a/src/lock.rs", "").is_empty());
    }
}
