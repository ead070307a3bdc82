//! The allowed dependencies between the crates of the workspace.

use cargo_metadata::{DependencyKind, Metadata, Package};

use super::finding::Finding;

/// Each crate and the crates of the workspace that its normal dependencies may name.
const ALLOWED_DEPENDENCIES: &[(&str, &[&str])] = &[
    ("lockage-core", &[]),
    ("lockage-script", &[]),
    ("lockage-macros", &["lockage-core"]),
    ("lockage-sql", &["lockage-core", "lockage-script"]),
    ("lockage-sqlite", ENGINE),
    ("lockage-postgres", ENGINE),
    ("lockage-mysql", ENGINE),
    ("lockage-sqlserver", ENGINE),
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
    ("lockage-testkit", &["lockage-core"]),
    ("lockage-test-matrix", &["lockage-core", "lockage-testkit"]),
    ("xtask", &["lockage-test-matrix"]),
];

/// The dependencies of an engine's crate.
const ENGINE: &[&str] = &["lockage-core", "lockage-script", "lockage-sql"];

/// The driver of each engine and the only crate that may depend on it.
const DRIVERS: &[(&str, &str)] = &[
    ("rusqlite", "lockage-sqlite"),
    ("tokio-postgres", "lockage-postgres"),
    ("mysql_async", "lockage-mysql"),
    ("tiberius", "lockage-sqlserver"),
];

pub(super) fn check(metadata: &Metadata) -> Vec<Finding> {
    let packages = metadata.workspace_packages();
    let is_member = |name: &str| packages.iter().any(|package| package.name == name);
    let mut findings = Vec::new();
    for package in &packages {
        let folder = package
            .manifest_path
            .parent()
            .and_then(|folder| folder.file_name())
            .unwrap_or_default();
        // Only the crate of the end-to-end tests may depend on all crates.
        if folder == "tests" {
            continue;
        }
        if folder != package.name.as_str() {
            let message = format!("the folder is named {folder}; rename it like its crate");
            findings.push(Finding::about(&package.name, message));
        }
        let Some((_, allowed)) = ALLOWED_DEPENDENCIES
            .iter()
            .find(|(name, _)| package.name == *name)
        else {
            findings.push(Finding::about(
                &package.name,
                "no rule; add the crate to xtask/src/tidy/dependency_rules.rs and docs/architecture.md",
            ));
            continue;
        };
        for dependency in normal_dependencies(package) {
            if is_member(dependency) && !allowed.contains(&dependency) {
                let message = format!("may not depend on {dependency}; remove the dependency");
                findings.push(Finding::about(&package.name, message));
            }
            if let Some((_, owner)) = DRIVERS.iter().find(|(driver, _)| *driver == dependency)
                && package.name != *owner
            {
                let message =
                    format!("may not depend on {dependency}, the driver of {owner}; use {owner}");
                findings.push(Finding::about(&package.name, message));
            }
        }
    }
    findings
}

fn normal_dependencies(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind == DependencyKind::Normal)
        .map(|dependency| dependency.name.as_str())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use cargo_metadata::MetadataCommand;

    use super::check;

    /// Returns the findings in a workspace of crates: folder, name, dependency lines.
    fn findings(crates: &[(&str, &str, &str)]) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        fs::write(
            root.path().join("Cargo.toml"),
            "[workspace]\nmembers = [\"*\"]\n",
        )
        .unwrap();
        for (folder, name, dependencies) in crates {
            let folder = root.path().join(folder);
            fs::create_dir_all(folder.join("src")).unwrap();
            fs::write(folder.join("src/lib.rs"), "").unwrap();
            let manifest =
                format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\n{dependencies}");
            fs::write(folder.join("Cargo.toml"), manifest).unwrap();
        }
        let metadata = MetadataCommand::new()
            .current_dir(root.path())
            .no_deps()
            .exec();
        let findings = check(&metadata.unwrap());
        findings.iter().map(ToString::to_string).collect()
    }

    const CORE: (&str, &str, &str) = ("lockage-core", "lockage-core", "");

    #[test]
    fn allowed_dependency_is_accepted() {
        let sql = "[dependencies]\nlockage-core = { path = \"../lockage-core\" }\n[dev-dependencies]\nrusqlite = \"1\"\n";
        assert!(findings(&[CORE, ("lockage-sql", "lockage-sql", sql)]).is_empty());
    }

    #[test]
    fn reverse_dependency_is_reported() {
        let core = "[dependencies]\nlockage-sql = { path = \"../lockage-sql\" }\n";
        let found = findings(&[
            ("lockage-core", "lockage-core", core),
            ("lockage-sql", "lockage-sql", ""),
        ]);
        assert_eq!(
            found,
            ["lockage-core: may not depend on lockage-sql; remove the dependency"]
        );
    }

    #[test]
    fn driver_in_other_crate_is_reported() {
        let found = findings(&[(
            "lockage-core",
            "lockage-core",
            "[dependencies]\nrusqlite = \"1\"\n",
        )]);
        assert_eq!(
            found,
            [
                "lockage-core: may not depend on rusqlite, the driver of lockage-sqlite; use lockage-sqlite"
            ]
        );
    }

    #[test]
    fn folder_with_other_name_is_reported() {
        assert_eq!(
            findings(&[("other", "lockage-core", "")]),
            ["lockage-core: the folder is named other; rename it like its crate"]
        );
    }

    #[test]
    fn crate_without_rule_is_reported() {
        let found = findings(&[("lockage-acme", "lockage-acme", "")]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("lockage-acme: no rule"), "{found:?}");
    }
}
