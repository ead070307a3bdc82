//! Cargo rejects two versions of the core in one program. Each would have its own registry, and backends would be missing in one.

mod external_crate;

use external_crate::ExternalCrate;

#[test]
fn two_core_versions_are_rejected_by_cargo() {
    let facade = "lockage = { path = \"{crates}/lockage\" }\n";
    let program = ExternalCrate::new(facade);
    program.write("src/main.rs", "fn main() {}");
    let one = program.cargo(&["check"]);
    assert!(one.success, "{}", one.stderr);
    drop(program);

    let program = ExternalCrate::new(&format!(
        "{facade}older = {{ package = \"lockage-core\", path = \"older\" }}\n"
    ));
    program.write("src/main.rs", "fn main() {}");
    program.write(
        "older/Cargo.toml",
        "[package]\nname = \"lockage-core\"\nversion = \"0.0.1\"\nedition = \"2024\"\nlinks = \"lockage-core\"\n",
    );
    program.write("older/build.rs", "fn main() {}");
    program.write("older/src/lib.rs", "");
    let both = program.cargo(&["check"]);
    assert!(!both.success);
    let part = "links to the native library `lockage-core`";
    assert!(both.stderr.contains(part), "{}", both.stderr);
}
