//! Two versions of the core would have two registries, and a backend would be in the wrong one: Cargo refuses them.

mod foreign;

use foreign::Foreign;

#[test]
fn two_versions_of_the_core_are_an_error_of_cargo() {
    let ours = "lockage = { path = \"{crates}/lockage\" }\n";
    let program = Foreign::new(ours);
    program.write("src/main.rs", "fn main() {}");
    let alone = program.cargo(&["check"]);
    assert!(alone.success, "{}", alone.stderr);
    drop(program);

    let program = Foreign::new(&format!(
        "{ours}older = {{ package = \"lockage-core\", path = \"older\" }}\n"
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
