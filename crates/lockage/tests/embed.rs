//! The embed macro, as a crate of a user sees it.

mod foreign;

use foreign::Foreign;

const BUILD: &str = "fn main() { println!(\"cargo::rerun-if-changed=migrations\"); }";

const PROGRAM: &str = r#"fn main() {
    for migration in lockage::embed!("migrations").iter() {
        println!("{} {} {}", migration.key(), migration.file(), &migration.checksum().to_string()[..8]);
    }
}
"#;

fn program(main: &str) -> Foreign {
    let program = Foreign::new("lockage = { path = \"{crates}/lockage\" }\n");
    program.write("src/main.rs", main);
    program.write("build.rs", BUILD);
    program
}

fn run(program: &Foreign) -> Vec<String> {
    let said = program.cargo(&["run", "--quiet"]);
    assert!(said.success, "{}", said.stderr);
    said.stdout.lines().map(str::to_owned).collect()
}

/// What the compiler says of a program that cannot be built.
fn refused(program: &Foreign) -> String {
    let said = program.cargo(&["check"]);
    assert!(!said.success, "it was built");
    said.stderr
}

#[test]
fn a_file_that_is_added_changed_or_removed_rebuilds_the_program() {
    let program = program(PROGRAM);
    program.write("migrations/V1__users.sql", "SELECT 1;\n");
    program.write("migrations/README.md", "not a migration");
    // The first eight digits of the checksums, by sha256sum.
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
fn the_crate_may_have_another_name() {
    let program = Foreign::new("gate = { package = \"lockage\", path = \"{crates}/lockage\" }\n");
    program.write("src/main.rs", &PROGRAM.replace("lockage::", "gate::"));
    program.write("build.rs", BUILD);
    program.write("migrations/R__views.sql", "");
    assert_eq!(run(&program), ["R:views R__views.sql e3b0c442"]);
}

#[test]
fn every_mistake_in_a_file_is_an_error_with_its_place() {
    let program = program(PROGRAM);
    program.write(
        "migrations/V1__a.sql",
        "-- first\n-- lockage: no-transactoin\n",
    );
    program.write("migrations/V2__a.sql", "");
    program.write("migrations/sub/V02__b.sql", "");
    program.write("migrations/users.sql", "");
    let said = refused(&program);
    for part in [
        "error: migrations/V1__a.sql:2:1: unknown directive `no-transactoin`",
        "    -- lockage: no-transactoin",
        "error: migrations/users.sql: `users.sql` does not begin with V, U, R or B",
        "help: names are V<version>__<name>.sql",
        "are both versioned migrations with version",
        "rename one of the two files",
        "--> src/main.rs:2:38",
    ] {
        assert!(said.contains(part), "no `{part}` in:\n{said}");
    }
    assert_eq!(said.matches("error: migrations/").count(), 3, "{said}");
}

#[test]
fn a_folder_that_is_missing_or_empty_is_an_error() {
    let program = program(PROGRAM);
    let said = refused(&program);
    assert!(
        said.contains("error: the migrations folder migrations does not exist"),
        "{said}"
    );
    assert!(
        said.contains("relative to the folder of Cargo.toml"),
        "{said}"
    );

    program.write("migrations/README.md", "none yet");
    let said = refused(&program);
    assert!(
        said.contains("error: the folder migrations has no migrations"),
        "{said}"
    );
}

#[test]
fn what_is_no_folder_is_an_error() {
    let program = program("fn main() { lockage::embed!(); }");
    let said = refused(&program);
    assert!(
        said.contains("embed! takes the path of the migrations folder"),
        "{said}"
    );
}

#[test]
fn without_a_build_script_new_files_would_go_unnoticed_and_the_macro_says_so() {
    let program = program(PROGRAM);
    program.write("migrations/V1__users.sql", "SELECT 1;\n");
    program.remove("build.rs");
    let said = refused(&program);
    for part in [
        "Cargo would not notice a file that is added to `migrations`",
        "println!(\"cargo::rerun-if-changed=migrations\");",
    ] {
        assert!(said.contains(part), "no `{part}` in:\n{said}");
    }
}
