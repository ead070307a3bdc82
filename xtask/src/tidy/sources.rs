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
