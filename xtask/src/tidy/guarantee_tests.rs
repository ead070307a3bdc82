//! Each promise in docs/guarantees.md names the tests that show it, and those tests exist.

use std::fs;
use std::path::Path;

pub(super) fn check(root: &Path) -> Result<Vec<String>, String> {
    let path = root.join("docs/guarantees.md");
    let text = fs::read_to_string(&path).map_err(|error| format!("docs/guarantees.md: {error}"))?;
    let sources = sources(root);
    let mut broken = Vec::new();
    let mut named = 0;
    for line in text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("- test:"))
    {
        for name in line.split('`').skip(1).step_by(2) {
            named += 1;
            let function = name.rsplit("::").next().unwrap_or(name);
            if !sources.contains(&format!("fn {function}("))
                && !sources.contains(&format!("\"{function}\""))
            {
                broken.push(format!(
                    "docs/guarantees.md names the test `{name}`, which does not exist"
                ));
            }
        }
    }
    if named == 0 {
        broken.push("docs/guarantees.md names no test".into());
    }
    Ok(broken)
}

/// All Rust text of the workspace.
fn sources(root: &Path) -> String {
    let mut all = String::new();
    let mut folders: Vec<_> = ["crates", "tests"]
        .iter()
        .map(|folder| root.join(folder))
        .collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                all.push_str(&fs::read_to_string(&path).unwrap_or_default());
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(guarantees: &str) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("docs/guarantees.md", guarantees),
            (
                "crates/a/tests/a.rs",
                "fn one_holds() {}\nconst CASES: &[&str] = &[\"lock::two_wait\"];",
            ),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        check(root.path()).unwrap()
    }

    #[test]
    fn a_promise_whose_test_does_not_exist_is_seen() {
        assert!(broken("- test: `one_holds`").is_empty());
        let said = broken("- test: `one_holds`, `lock::three_wait`");
        assert_eq!(
            said,
            ["docs/guarantees.md names the test `lock::three_wait`, which does not exist"]
        );
    }

    #[test]
    fn promises_without_tests_are_seen() {
        assert_eq!(
            broken("nothing is promised"),
            ["docs/guarantees.md names no test"]
        );
    }
}
