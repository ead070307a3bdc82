//! Mistakes in the folder of the migrations, found without a database.

use crate::sandbox::Sandbox;

const OFFLINE: [&str; 2] = ["validate", "--offline"];

#[test]
fn sound_files_are_counted() {
    let sandbox = Sandbox::with(&[
        ("V1__a.sql", "CREATE TABLE a (id int);\n"),
        ("sub/V2__b.sql", "-- lockage: no-transaction\nSELECT 1;\n"),
        ("R__c.sql", ""),
    ]);
    sandbox.migration("README.md", "not ours");
    assert_eq!(
        sandbox.run(&OFFLINE).succeeds().out,
        "3 files checked: no mistakes\n"
    );
    let (code, object) = sandbox.json(&OFFLINE);
    assert_eq!(
        (code, &object["outcome"], &object["files"]),
        (0, &"valid".into(), &3.into())
    );
    assert_eq!(
        sandbox.run(&["validate", "--offline", "-q"]).succeeds().out,
        ""
    );
}

#[test]
fn a_folder_that_is_missing_empty_or_no_folder() {
    let sandbox = Sandbox::new();
    let error = sandbox.fails(
        &OFFLINE,
        2,
        &["the folder migrations has no migrations", "lockage new"],
    );
    assert_eq!(error["kind"], "invalid_config");
    let args = ["validate", "--offline", "--dir", "nowhere"];
    sandbox.fails(
        &args,
        2,
        &["the migrations folder nowhere does not exist", "--dir"],
    );
    sandbox.write("file", "");
    sandbox.fails(
        &["validate", "--offline", "--dir", "file"],
        2,
        &["is not a folder"],
    );
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_read() {
    let sandbox = Sandbox::new();
    // Rights do not stop the superuser; a link to itself stops everybody.
    std::os::unix::fs::symlink("loop", sandbox.path("loop")).unwrap();
    let args = ["validate", "--offline", "--dir", "loop"];
    let error = sandbox.fails(&args, 2, &["the migrations folder loop cannot be read"]);
    assert_eq!(error["kind"], "invalid_config");
    std::os::unix::fs::symlink("nowhere", sandbox.path("migrations/V1__a.sql")).unwrap();
    sandbox.fails(&OFFLINE, 2, &["V1__a.sql"]);
}

#[test]
fn a_name_outside_the_convention() {
    let sandbox = Sandbox::with(&[("V1__a.sql", ""), ("users.sql", "")]);
    let error = sandbox.fails(
        &OFFLINE,
        2,
        &[
            "`users.sql` does not begin with V, U, R or B",
            "V<version>__<name>.sql",
        ],
    );
    assert_eq!(error["kind"], "invalid_migration");
    assert!(error["file"].as_str().unwrap().ends_with("users.sql"));
}

#[test]
fn two_files_with_one_version() {
    let sandbox = Sandbox::with(&[("V1__a.sql", ""), ("sub/V01__b.sql", "")]);
    let error = sandbox.fails(
        &OFFLINE,
        2,
        &["V1__a.sql", "V01__b.sql", "are both versioned"],
    );
    assert_eq!(error["kind"], "invalid_migration");
}

#[test]
fn a_file_that_is_not_utf8() {
    let sandbox = Sandbox::new();
    sandbox.migration("V1__a.sql", b"SELECT '\xE9';\n");
    let error = sandbox.fails(&OFFLINE, 2, &["not UTF-8: byte 8 is wrong", "V1__a.sql"]);
    assert_eq!(error["context"]["byte_offset"], "8");
}

#[test]
fn an_unknown_directive_is_shown_in_its_line() {
    let sandbox = Sandbox::with(&[(
        "V1__a.sql",
        "-- about\n-- lockage: no-transactoin\nSELECT 1;\n",
    )]);
    let error = sandbox.fails(
        &OFFLINE,
        2,
        &[
            "unknown directive `no-transactoin`",
            "V1__a.sql:2:1",
            "2 | -- lockage: no-transactoin",
        ],
    );
    assert_eq!(error["kind"], "invalid_migration");
    assert_eq!((&error["line"], &error["column"]), (&2.into(), &1.into()));
    assert_eq!(error["line_text"], "-- lockage: no-transactoin");
}

#[test]
fn every_mistake_is_told_at_once() {
    let sandbox = Sandbox::with(&[
        ("V1__a.sql", "-- lockage: what\n"),
        ("one.sql", ""),
        ("V2__b.sql", "-- lockage: foreign-keys=maybe\n"),
    ]);
    let error = sandbox.fails(
        &OFFLINE,
        2,
        &[
            "unknown directive `what`",
            "`one.sql` does not begin",
            "takes `off` or `on`",
        ],
    );
    assert_eq!(error["related"].as_array().unwrap().len(), 2);
}

#[test]
fn mistakes_in_files_come_before_any_connection() {
    let sandbox = Sandbox::with(&[("V1_a.sql", "")]);
    for command in ["up", "status", "plan", "check", "wait", "down"] {
        let error = sandbox.fails(&[command, "--url", "nosuch:x"], 2, &["has no `__`"]);
        assert_eq!(error["kind"], "invalid_migration");
    }
}
