//! Rules for files.

use std::fs;
use std::path::Path;

/// No file is longer.
const LONGEST: usize = 600;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 5] = ["utils", "common", "helpers", "types", "prelude"];

pub(super) fn check(root: &Path) -> Result<Vec<String>, String> {
    let mut broken = Vec::new();
    for folder in ["crates", "xtask", "tests"] {
        walk(&root.join(folder), &mut |path, text| {
            let shown = path.strip_prefix(root).unwrap_or(path).display();
            let lines = text.lines().count();
            if lines > LONGEST {
                broken.push(format!("{shown} has {lines} lines, more than {LONGEST}"));
            }
            let stem = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .unwrap_or_default();
            let parent = path
                .parent()
                .and_then(|parent| parent.file_name()?.to_str())
                .unwrap_or_default();
            if let Some(name) = EMPTY_NAMES
                .iter()
                .find(|name| **name == stem || **name == parent)
            {
                broken.push(format!(
                    "{shown}: `{name}` says nothing about what is inside"
                ));
            }
        })
        .map_err(|error| format!("{folder}: {error}"))?;
    }
    Ok(broken)
}

fn walk(folder: &Path, each: &mut impl FnMut(&Path, &str)) -> std::io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                walk(&path, each)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            each(&path, &fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(path: &str, text: &str) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        check(root.path()).unwrap()
    }

    #[test]
    fn a_file_that_is_too_long_is_seen() {
        assert!(broken("crates/a/src/lock.rs", &"\n".repeat(LONGEST)).is_empty());
        let said = broken("crates/a/src/lock.rs", &"\n".repeat(LONGEST + 1));
        assert_eq!(said, ["crates/a/src/lock.rs has 601 lines, more than 600"]);
    }

    #[test]
    fn a_name_that_says_nothing_is_seen() {
        for path in [
            "crates/a/src/utils.rs",
            "tests/common/mod.rs",
            "xtask/src/helpers.rs",
        ] {
            assert_eq!(broken(path, "").len(), 1, "{path}");
        }
        assert!(broken("target/utils.rs", "").is_empty());
        assert!(broken("crates/a/target/utils.rs", "").is_empty());
    }
}
