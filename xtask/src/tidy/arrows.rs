//! Who may depend on whom.

use cargo_metadata::{DependencyKind, Metadata, Package};

/// Each crate of the workspace and the crates of the workspace that it may name in its normal dependencies.
const ARROWS: &[(&str, &[&str])] = &[
    ("lockage-core", &[]),
    ("lockage-macros", &["lockage-core"]),
    ("lockage-sql", &["lockage-core"]),
    ("lockage-sqlite", &["lockage-core", "lockage-sql"]),
    ("lockage-postgres", &["lockage-core", "lockage-sql"]),
    ("lockage-mysql", &["lockage-core", "lockage-sql"]),
    ("lockage-sqlserver", &["lockage-core", "lockage-sql"]),
    (
        "lockage",
        &[
            "lockage-core",
            "lockage-macros",
            "lockage-sqlite",
            "lockage-postgres",
            "lockage-mysql",
            "lockage-sqlserver",
        ],
    ),
    ("lockage-testkit", &["lockage-core"]),
    (
        "lockage-message-store",
        &[
            "lockage-core",
            "lockage-sql",
            "lockage-sqlite",
            "lockage-postgres",
            "lockage-mysql",
            "lockage-sqlserver",
        ],
    ),
    (
        "lockage-cli",
        &["lockage", "lockage-core", "lockage-message-store"],
    ),
    ("xtask", &["lockage-testkit"]),
];

/// The driver of each engine, which nobody but its backend may name.
const DRIVERS: &[(&str, &str)] = &[
    ("rusqlite", "lockage-sqlite"),
    ("tokio-postgres", "lockage-postgres"),
    ("mysql_async", "lockage-mysql"),
    ("tiberius", "lockage-sqlserver"),
];

pub(super) fn check(metadata: &Metadata) -> Vec<String> {
    let packages = metadata.workspace_packages();
    let ours = |name: &str| packages.iter().any(|package| package.name == name);
    let mut broken = Vec::new();
    for package in &packages {
        let folder = package
            .manifest_path
            .parent()
            .and_then(|folder| folder.file_name())
            .unwrap_or_default();
        // The crate of the cross-engine suites, and only that, may depend on everything.
        if folder == "tests" {
            continue;
        }
        if folder != package.name.as_str() {
            broken.push(format!(
                "{} stands in a folder named {folder}",
                package.name
            ));
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| package.name == *name) else {
            broken.push(format!(
                "{} has no arrows: add it to xtask/src/tidy/arrows.rs and docs/architecture.md",
                package.name
            ));
            continue;
        };
        for dependency in normal_dependencies(package) {
            if ours(dependency) && !allowed.contains(&dependency) {
                broken.push(format!("{} may not depend on {dependency}", package.name));
            }
            if let Some((_, owner)) = DRIVERS.iter().find(|(driver, _)| *driver == dependency)
                && package.name != *owner
            {
                broken.push(format!(
                    "{} may not depend on {dependency}, the driver of {owner}",
                    package.name
                ));
            }
        }
    }
    broken
}

fn normal_dependencies(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind == DependencyKind::Normal)
        .map(|dependency| dependency.name.as_str())
}
