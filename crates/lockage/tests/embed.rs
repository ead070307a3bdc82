//! The macro `embed!` in the crate of a user.

mod external_crate;

use external_crate::ExternalCrate;

const BUILD: &str = "fn main() { println!(\"cargo::rerun-if-changed=migrations\"); }";

const PROGRAM: &str = r#"fn main() {
    for migration in lockage::embed!("migrations").iter() {
        println!("{} {} {}", migration.key(), migration.file(), &migration.checksum().to_string()[..8]);
    }
}
"#;

fn program(main: &str) -> ExternalCrate {
    let program = ExternalCrate::new("lockage = { path = \"{crates}/lockage\" }\n");
    program.write("src/main.rs", main);
    program.write("build.rs", BUILD);
    program
}

fn run(program: &ExternalCrate) -> Vec<String> {
    let output = program.cargo(&["run", "--quiet"]);
    assert!(output.success, "{}", output.stderr);
    output.stdout.lines().map(str::to_owned).collect()
}

/// Returns the messages of the compiler for an invalid program.
fn compile_errors(program: &ExternalCrate) -> String {
    let output = program.cargo(&["check"]);
    assert!(!output.success, "the program compiles");
    output.stderr
}

#[test]
fn added_changed_or_removed_file_rebuilds_program() {
    let program = program(PROGRAM);
    program.write("migrations/V1__users.sql", "SELECT 1;\n");
    program.write("migrations/README.md", "not a migration");
    // The first eight digits of the checksums, computed with sha256sum.
    let first = "1 V1__users.sql b4e04978";
    assert_eq!(run(&program), [first]);

    let again = program.cargo(&["build"]);
    assert!(!again.stderr.contains("Compiling"), "{}", again.stderr);

    program.write("migrations/2026/V2__orders.sql", "SELECT 2;\n");
    assert_eq!(run(&program), [first, "2 2026/V2__orders.sql a41109d2"]);

    program.write("migrations/V1__users.sql", "SELECT 3;\n");
    program.remove("migrations/2026/V2__orders.sql");
    assert_eq!(run(&program), ["1 V1__users.sql fa4a7157"]);
}

#[test]
fn renamed_crate_is_supported() {
    let program =
        ExternalCrate::new("migrations = { package = \"lockage\", path = \"{crates}/lockage\" }\n");
    program.write("src/main.rs", &PROGRAM.replace("lockage::", "migrations::"));
    program.write("build.rs", BUILD);
    program.write("migrations/R__views.sql", "");
    assert_eq!(run(&program), ["R:views R__views.sql e3b0c442"]);
}

#[test]
fn invalid_files_are_errors_with_position() {
    let program = program(PROGRAM);
    program.write(
        "migrations/V1__a.sql",
        "-- first\n-- lockage: no-transactoin\n",
    );
    program.write("migrations/V2__a.sql", "");
    program.write("migrations/sub/V02__b.sql", "");
    program.write("migrations/users.sql", "");
    let errors = compile_errors(&program);
    for part in [
        "error: migrations/V1__a.sql:2:1: unknown directive `no-transactoin`",
        "    -- lockage: no-transactoin",
        "error: migrations/users.sql: `users.sql` does not begin with V, U, R or B",
        "help: names are V<version>__<name>.sql",
        "are both versioned migrations with version",
        "rename one of the two files",
        "--> src/main.rs:2:38",
    ] {
        assert!(errors.contains(part), "no `{part}` in:\n{errors}");
    }
    assert_eq!(errors.matches("error: migrations/").count(), 3, "{errors}");
}

#[test]
fn missing_or_empty_folder_is_an_error() {
    let program = program(PROGRAM);
    let errors = compile_errors(&program);
    assert!(
        errors.contains("error: the migrations folder migrations does not exist"),
        "{errors}"
    );
    assert!(
        errors.contains("relative to the folder of Cargo.toml"),
        "{errors}"
    );

    program.write("migrations/README.md", "none yet");
    let errors = compile_errors(&program);
    assert!(
        errors.contains("error: the folder migrations has no migrations"),
        "{errors}"
    );
}

#[test]
fn missing_argument_is_an_error() {
    let program = program("fn main() { lockage::embed!(); }");
    let errors = compile_errors(&program);
    assert!(
        errors.contains("embed! takes the path of the migrations folder"),
        "{errors}"
    );
}

#[test]
fn missing_build_script_is_an_error() {
    let program = program(PROGRAM);
    program.write("migrations/V1__users.sql", "SELECT 1;\n");
    program.remove("build.rs");
    let errors = compile_errors(&program);
    for part in [
        "Cargo cannot detect a file that is added to `migrations`",
        "println!(\"cargo::rerun-if-changed=migrations\");",
    ] {
        assert!(errors.contains(part), "no `{part}` in:\n{errors}");
    }
}
