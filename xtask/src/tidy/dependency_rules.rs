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

#[cfg(test)]
mod tests {
    use std::fs;

    use cargo_metadata::MetadataCommand;

    use super::check;

    /// What is broken in a workspace of these crates: folder, name, lines under its dependencies.
    fn broken(crates: &[(&str, &str, &str)]) -> Vec<String> {
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
        check(&metadata.unwrap())
    }

    const CORE: (&str, &str, &str) = ("lockage-core", "lockage-core", "");

    #[test]
    fn what_the_arrows_allow_is_allowed() {
        let sql = "[dependencies]\nlockage-core = { path = \"../lockage-core\" }\n[dev-dependencies]\nrusqlite = \"1\"\n";
        assert!(broken(&[CORE, ("lockage-sql", "lockage-sql", sql)]).is_empty());
    }

    #[test]
    fn an_arrow_the_wrong_way_is_seen() {
        let core = "[dependencies]\nlockage-sql = { path = \"../lockage-sql\" }\n";
        let broken = broken(&[
            ("lockage-core", "lockage-core", core),
            ("lockage-sql", "lockage-sql", ""),
        ]);
        assert_eq!(broken, ["lockage-core may not depend on lockage-sql"]);
    }

    #[test]
    fn a_driver_in_anothers_crate_is_seen() {
        let broken = broken(&[(
            "lockage-core",
            "lockage-core",
            "[dependencies]\nrusqlite = \"1\"\n",
        )]);
        assert_eq!(
            broken,
            ["lockage-core may not depend on rusqlite, the driver of lockage-sqlite"]
        );
    }

    #[test]
    fn a_folder_with_another_name_is_seen() {
        assert_eq!(
            broken(&[("heart", "lockage-core", "")]),
            ["lockage-core stands in a folder named heart"]
        );
    }

    #[test]
    fn a_crate_without_arrows_is_seen() {
        let broken = broken(&[("lockage-acme", "lockage-acme", "")]);
        assert_eq!(broken.len(), 1);
        assert!(
            broken[0].contains("lockage-acme has no arrows"),
            "{broken:?}"
        );
    }
}
