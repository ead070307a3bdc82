//! A limit for the number of crates that a backend builds.

use std::collections::BTreeSet;
use std::process::Command;

use super::finding::Finding;

/// A backend and the most crates that a build of it without TLS may contain.
const LIMITS: &[(&str, usize)] = &[("lockage-postgres", 75)];

pub(super) fn check() -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for (package, limit) in LIMITS {
        let arguments = [
            "tree",
            "--package",
            package,
            "--no-default-features",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--no-dedupe",
        ];
        let tree = Command::new(env!("CARGO"))
            .args(arguments)
            .output()
            .map_err(|error| format!("cargo tree: {error}"))?;
        if !tree.status.success() {
            return Err(format!(
                "cargo tree: {}",
                String::from_utf8_lossy(&tree.stderr)
            ));
        }
        let crates = count_crates(&String::from_utf8_lossy(&tree.stdout));
        println!("tidy: {package} without TLS builds {crates} crates, {limit} at most");
        findings.extend(check_limit(package, crates, *limit));
    }
    Ok(findings)
}

/// Counts the crates in the output of `cargo tree`.
fn count_crates(tree: &str) -> usize {
    let name_and_version = |line: &str| {
        let words: Vec<_> = line.split_whitespace().take(2).collect();
        Some(words.join(" ")).filter(|words| !words.is_empty())
    };
    let crates: BTreeSet<String> = tree.lines().filter_map(name_and_version).collect();
    crates.len()
}

fn check_limit(package: &str, crates: usize, limit: usize) -> Option<Finding> {
    (crates > limit).then(|| {
        let message = format!(
            "a build without TLS contains {crates} crates, more than {limit}; remove a dependency"
        );
        Finding::about(package, message)
    })
}

#[cfg(test)]
mod tests {
    use super::{check_limit, count_crates};

    #[test]
    fn crate_is_counted_once() {
        assert_eq!(
            count_crates("a v1.0.0 (/a)\nb v2.0.0\nb v2.0.0 (*)\nb v3.0.0\n\n"),
            3
        );
    }

    #[test]
    fn too_many_crates_are_reported() {
        assert_eq!(check_limit("a", 75, 75), None);
        assert!(check_limit("a", 76, 75).is_some_and(|found| found.to_string().contains("76")));
    }
}
