//! Invalid migration files, found without a database.

use crate::sandbox::Sandbox;

const OFFLINE: [&str; 2] = ["validate", "--offline"];

#[test]
fn valid_files_are_counted() {
    let sandbox = Sandbox::with_migrations(&[
        ("V1__a.sql", "CREATE TABLE a (id int);\n"),
        ("sub/V2__b.sql", "-- lockage: no-transaction\nSELECT 1;\n"),
        ("R__c.sql", ""),
    ]);
    sandbox.write_migration("README.md", "not a migration");
    assert_eq!(
        sandbox.run(&OFFLINE).expect_success().out,
        "3 files checked: no errors\n"
    );
    let (code, object) = sandbox.run_json(&OFFLINE);
    assert_eq!(
        (code, &object["outcome"], &object["files"]),
        (0, &"valid".into(), &3.into())
    );
    assert_eq!(
        sandbox
            .run(&["validate", "--offline", "-q"])
            .expect_success()
            .out,
        ""
    );
}

#[test]
fn missing_empty_and_invalid_folders_are_reported() {
    let sandbox = Sandbox::new();
    let error = sandbox.expect_failure(
        &OFFLINE,
        2,
        &["the folder migrations has no migrations", "lockage new"],
    );
    assert_eq!(error["kind"], "invalid_config");
    let args = ["validate", "--offline", "--dir", "nowhere"];
    sandbox.expect_failure(
        &args,
        2,
        &["the migrations folder nowhere does not exist", "--dir"],
    );
    sandbox.write("file", "");
    sandbox.expect_failure(
        &["validate", "--offline", "--dir", "file"],
        2,
        &["is not a folder"],
    );
}

#[cfg(unix)]
#[test]
fn unreadable_folder_is_reported() {
    let sandbox = Sandbox::new();
    // Permissions do not stop the superuser, but a link to itself does.
    std::os::unix::fs::symlink("loop", sandbox.path("loop")).unwrap();
    let args = ["validate", "--offline", "--dir", "loop"];
    let error = sandbox.expect_failure(&args, 2, &["the migrations folder loop cannot be read"]);
    assert_eq!(error["kind"], "invalid_config");
    std::os::unix::fs::symlink("nowhere", sandbox.path("migrations/V1__a.sql")).unwrap();
    sandbox.expect_failure(&OFFLINE, 2, &["V1__a.sql"]);
}

#[test]
fn invalid_file_name_is_reported() {
    let sandbox = Sandbox::with_migrations(&[("V1__a.sql", ""), ("users.sql", "")]);
    let error = sandbox.expect_failure(
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
fn duplicate_version_is_reported() {
    let sandbox = Sandbox::with_migrations(&[("V1__a.sql", ""), ("sub/V01__b.sql", "")]);
    let error = sandbox.expect_failure(
        &OFFLINE,
        2,
        &["V1__a.sql", "V01__b.sql", "are both versioned"],
    );
    assert_eq!(error["kind"], "invalid_migration");
}

#[test]
fn file_that_is_not_utf8_is_reported() {
    let sandbox = Sandbox::new();
    sandbox.write_migration("V1__a.sql", b"SELECT '\xE9';\n");
    let error = sandbox.expect_failure(&OFFLINE, 2, &["not UTF-8: byte 8 is wrong", "V1__a.sql"]);
    assert_eq!(error["context"]["byte_offset"], "8");
}

#[test]
fn unknown_directive_is_shown_with_its_line() {
    let sandbox = Sandbox::with_migrations(&[(
        "V1__a.sql",
        "-- about\n-- lockage: no-transactoin\nSELECT 1;\n",
    )]);
    let error = sandbox.expect_failure(
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
fn all_file_errors_are_reported_together() {
    let sandbox = Sandbox::with_migrations(&[
        ("V1__a.sql", "-- lockage: what\n"),
        ("one.sql", ""),
        ("V2__b.sql", "-- lockage: foreign-keys=maybe\n"),
    ]);
    let error = sandbox.expect_failure(
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
fn file_errors_are_reported_before_connecting() {
    let sandbox = Sandbox::with_migrations(&[("V1_a.sql", "")]);
    for command in ["up", "status", "plan", "check", "wait", "down"] {
        let error = sandbox.expect_failure(&[command, "--url", "nosuch:x"], 2, &["has no `__`"]);
        assert_eq!(error["kind"], "invalid_migration");
    }
}

/// The layout of a mounted ConfigMap.
#[cfg(unix)]
#[test]
fn hidden_entries_of_a_config_map_are_not_read() {
    let sandbox = Sandbox::new();
    sandbox.write_migration("..2025/V1__a.sql", "SELECT 1;");
    let link = |target: &str, name: &str| {
        let path = sandbox.path(&format!("migrations/{name}"));
        std::os::unix::fs::symlink(target, path).unwrap();
    };
    link("..2025", "..data");
    link("..data/V1__a.sql", "V1__a.sql");
    assert_eq!(
        sandbox.run(&OFFLINE).expect_success().out,
        "1 file checked: no errors\n"
    );
}

#[test]
fn file_of_another_tool_is_refused_with_hint() {
    let sandbox = Sandbox::with_migrations(&[(
        "V1__a.sql",
        "-- migrate:up\nCREATE TABLE a (id int);\n-- migrate:down\nDROP TABLE a;\n",
    )]);
    let parts = ["migration of dbmate", "V1__a.sql:3:1", "U<version>"];
    let error = sandbox.expect_failure(&OFFLINE, 2, &parts);
    assert_eq!(error["kind"], "invalid_migration");
}

#[cfg(all(feature = "sqlite", feature = "postgres", feature = "mysql"))]
#[test]
fn script_that_no_engine_can_read_is_an_error_without_url() {
    let sandbox = Sandbox::with_migrations(&[
        ("V1__postgres.sql", "DO $$ BEGIN PERFORM 'a;'; END $$;\n"),
        ("V2__mysql.sql", "INSERT INTO `a` VALUES ('it\\'s;');\n"),
    ]);
    sandbox.run(&OFFLINE).expect_success();
    sandbox.write_migration("V3__open.sql", "SELECT 1;\nSELECT 'unterminated;\n");
    let parts = ["no linked engine can read the script", "V3__open.sql:2"];
    let error = sandbox.expect_failure(&OFFLINE, 2, &parts);
    assert_eq!(error["kind"], "invalid_migration");
}

#[test]
fn versioned_file_without_statement_is_a_warning_and_with_strict_an_error() {
    let sandbox = Sandbox::with_migrations(&[("V1__a.sql", "-- only a comment\n")]);
    let call = sandbox.run(&OFFLINE).expect_success();
    assert!(
        call.err
            .contains("V1__a.sql: the script contains no statement"),
        "{call:?}"
    );
    let call = sandbox.run_with(&[("LOCKAGE_STRICT", "true")], &OFFLINE);
    assert_eq!(call.code, 2, "{call:?}");
}

#[cfg(feature = "sqlite")]
#[test]
fn empty_versioned_file_is_applied_with_warning_and_refused_with_strict() {
    let sandbox = Sandbox::with_migrations(&[("V1__a.sql", "\n/* nothing */\n")]);
    let strict = ["up", "--strict", "--url", "sqlite:app.db"];
    sandbox.expect_failure(&strict, 2, &["contains no statement", "--strict"]);
    let call = sandbox
        .run(&["up", "--url", "sqlite:app.db"])
        .expect_success();
    assert!(
        call.err
            .contains("WARNING: migrations/V1__a.sql: the script contains no statement"),
        "{call:?}"
    );
}

#[cfg(feature = "sqlite")]
#[test]
fn lock_name_can_contain_a_slash() {
    let sandbox = Sandbox::with_migrations(&[("V1__a.sql", "CREATE TABLE a (id int);\n")]);
    let args = ["up", "--url", "sqlite:app.db", "--lock-name", "a/b"];
    sandbox.run(&args).expect_success();
    let args = [
        "lock",
        "status",
        "--url",
        "sqlite:app.db",
        "--lock-name",
        "a/b",
    ];
    sandbox.run(&args).expect_success();
}
