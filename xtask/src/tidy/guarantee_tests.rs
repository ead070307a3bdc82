//! Checks that the tests that docs/guarantees.md names exist.

use std::fs;
use std::path::Path;

use super::finding::Finding;
use super::source_tree::SourceTree;

const PAGE: &str = "docs/guarantees.md";

pub(super) fn check(root: &Path, tree: &SourceTree) -> Result<Vec<Finding>, String> {
    let text = fs::read_to_string(root.join(PAGE)).map_err(|error| format!("{PAGE}: {error}"))?;
    let mut findings = Vec::new();
    let mut named = 0;
    for (line, text) in (1..).zip(text.lines()) {
        let Some(tests) = text.trim_start().strip_prefix("- test:") else {
            continue;
        };
        for name in tests.split('`').skip(1).step_by(2) {
            named += 1;
            if !exists(tree, name) {
                findings.push(Finding::at(
                    PAGE,
                    line,
                    format!("the test `{name}` does not exist; name an existing test"),
                ));
            }
        }
    }
    if named == 0 {
        findings.push(Finding::about(PAGE, "no test is named"));
    }
    Ok(findings)
}

/// Returns whether a test function or a named case exists.
fn exists(tree: &SourceTree, name: &str) -> bool {
    let function = name.rsplit("::").next().unwrap_or(name);
    let (definition, literal) = (format!("fn {function}("), format!("\"{function}\""));
    tree.rust
        .iter()
        .any(|file| file.text.contains(&definition) || file.text.contains(&literal))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(page: &str) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            (PAGE, page),
            (
                "crates/a/tests/a.rs",
                "fn one_holds() {}\nconst CASES: &[&str] = &[\"two_wait\"];",
            ),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let tree = SourceTree::read(root.path()).unwrap();
        let findings = check(root.path(), &tree).unwrap();
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn guarantee_with_missing_test_is_reported() {
        assert!(findings("- test: `one_holds`, `lock::two_wait`").is_empty());
        assert_eq!(
            findings("- test: `one_holds`, `lock::three_wait`"),
            [
                "docs/guarantees.md:1: the test `lock::three_wait` does not exist; name an existing test"
            ]
        );
    }

    #[test]
    fn page_without_tests_is_reported() {
        assert_eq!(
            findings("nothing is guaranteed"),
            ["docs/guarantees.md: no test is named"]
        );
    }
}
