//! One backend is a small thing to depend on.

use std::collections::BTreeSet;
use std::process::Command;

/// A backend, and how many crates a normal build of it without TLS may have.
const LIMITS: &[(&str, usize)] = &[("lockage-postgres", 75)];

pub(super) fn check() -> Result<Vec<String>, String> {
    let mut broken = Vec::new();
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
        let crates = crates(&String::from_utf8_lossy(&tree.stdout));
        println!("tidy: {package} without TLS builds {crates} crates, {limit} at most");
        broken.extend(judge(package, crates, *limit));
    }
    Ok(broken)
}

/// How many there are in the output of `cargo tree`.
fn crates(tree: &str) -> usize {
    let name_and_version = |line: &str| {
        let words: Vec<_> = line.split_whitespace().take(2).collect();
        Some(words.join(" ")).filter(|words| !words.is_empty())
    };
    let crates: BTreeSet<String> = tree.lines().filter_map(name_and_version).collect();
    crates.len()
}

fn judge(package: &str, crates: usize, limit: usize) -> Option<String> {
    (crates > limit)
        .then(|| format!("{package} without TLS builds {crates} crates, more than {limit}"))
}

#[cfg(test)]
mod tests {
    use super::{crates, judge};

    #[test]
    fn crates_are_counted_once() {
        assert_eq!(
            crates("a v1.0.0 (/a)\nb v2.0.0\nb v2.0.0 (*)\nb v3.0.0\n\n"),
            3
        );
    }

    #[test]
    fn one_crate_too_many_is_seen() {
        assert_eq!(judge("a", 75, 75), None);
        assert!(judge("a", 76, 75).is_some_and(|said| said.contains("76")));
    }
}
