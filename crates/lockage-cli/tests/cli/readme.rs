//! The first command of the README.

use std::path::Path;

use crate::sandbox::Sandbox;

#[test]
fn readme_command_migrates_a_database() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let line = readme
        .lines()
        .find_map(|line| line.strip_prefix("cargo run -- "))
        .expect("a command in the README");
    let typed: Vec<&str> = line.split('#').next().unwrap().split_whitespace().collect();
    let sandbox = Sandbox::new();
    let dir = typed.iter().position(|word| *word == "--dir").unwrap() + 1;
    let examples = root.join(typed[dir]);
    let scripts = examples.read_dir().unwrap();
    let versioned = scripts
        .filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            !name.to_string_lossy().starts_with('U')
        })
        .count();
    let mut typed = typed.clone();
    let examples = examples.to_str().unwrap();
    typed[dir] = examples;
    let call = sandbox.run(&typed).expect_success();
    let done = format!("{versioned} migrations applied to ");
    assert!(call.out.starts_with(&done), "{call:?}");
    assert!(
        sandbox
            .run(&typed)
            .expect_success()
            .out
            .contains("is up to date")
    );
}
