use crate::sandbox::Sandbox;

#[test]
fn new_migration_has_timestamp_version() {
    let sandbox = Sandbox::new();
    std::fs::remove_dir(sandbox.path("migrations")).unwrap();
    let before = jiff::Timestamp::now();
    let call = sandbox.run(&["new", "create users"]).expect_success();
    let after = jiff::Timestamp::now();
    let names = sandbox.file_names("migrations");
    assert_eq!(names.len(), 1);
    let version = names[0]
        .strip_prefix('V')
        .and_then(|name| name.strip_suffix("__create_users.sql"))
        .unwrap();
    let utc = |time: jiff::Timestamp| time.strftime("%Y%m%d%H%M%S").to_string();
    assert!(utc(before).as_str() <= version && version <= utc(after).as_str());
    assert_eq!(
        call.out.trim_end(),
        std::path::Path::new("migrations")
            .join(&names[0])
            .to_str()
            .unwrap()
    );
    sandbox.run(&["validate", "--offline"]).expect_success();
}

#[test]
fn migrations_of_one_second_get_increasing_versions() {
    let sandbox = Sandbox::new();
    for name in ["a", "b", "c"] {
        sandbox.run(&["new", name]).expect_success();
    }
    let names = sandbox.file_names("migrations");
    let order: Vec<char> = names
        .iter()
        .map(|name| name.chars().rev().nth(4).unwrap())
        .collect();
    assert_eq!(order, ['a', 'b', 'c'], "{names:?}");
    sandbox.run(&["validate", "--offline"]).expect_success();
}

#[test]
fn undo_script_has_same_version() {
    let sandbox = Sandbox::new();
    let (code, object) = sandbox.run_json(&["new", "x", "--undo", "--dir", "sql"]);
    assert_eq!(code, 0);
    let names = sandbox.file_names("sql");
    assert_eq!(names.len(), 2);
    assert_eq!(names[0][1..], names[1][1..]);
    assert!(names[0].starts_with('U') && names[1].starts_with('V'));
    assert_eq!(object["outcome"], "created");
    assert_eq!(object["files"].as_array().unwrap().len(), 2);
}

#[test]
fn existing_repeatable_migration_is_not_overwritten() {
    let sandbox = Sandbox::new();
    sandbox
        .run(&["new", "all views", "--repeatable"])
        .expect_success();
    sandbox.write_migration("R__all_views.sql", "-- edited");
    let error = sandbox.expect_failure(
        &["new", "all views", "--repeatable"],
        2,
        &["R__all_views.sql already exists"],
    );
    assert_eq!(error["kind"], "invalid_config");
    let text = std::fs::read_to_string(sandbox.path("migrations/R__all_views.sql")).unwrap();
    assert_eq!(text, "-- edited");
}

#[test]
fn name_that_is_not_a_file_name_is_rejected() {
    let sandbox = Sandbox::new();
    sandbox.expect_failure(&["new", "../escape"], 2, &["cannot be part of a file name"]);
    assert!(sandbox.file_names("migrations").is_empty());
    sandbox.write("taken", "");
    sandbox.expect_failure(
        &["new", "a", "--dir", "taken"],
        2,
        &["cannot create the folder taken"],
    );
}
