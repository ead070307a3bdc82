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
        let crates: BTreeSet<String> = String::from_utf8_lossy(&tree.stdout)
            .lines()
            .filter_map(|line| {
                Some(
                    line.split_whitespace()
                        .take(2)
                        .collect::<Vec<_>>()
                        .join(" "),
                )
                .filter(|c| !c.is_empty())
            })
            .collect();
        println!(
            "tidy: {package} without TLS builds {} crates, {limit} at most",
            crates.len()
        );
        if crates.len() > *limit {
            broken.push(format!(
                "{package} without TLS builds {} crates, more than {limit}",
                crates.len()
            ));
        }
    }
    Ok(broken)
}
