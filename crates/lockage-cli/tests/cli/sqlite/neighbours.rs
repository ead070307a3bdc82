//! Other tools, and SQLite, which has no lock of theirs to take.

use super::{THREE, assert_states, sandbox};

#[test]
fn a_tool_that_nobody_knows_lists_those_that_are() {
    let sandbox = sandbox(&THREE);
    let parts = ["--align: `flywheel` is no tool", "flyway, golang-migrate"];
    let error = sandbox.fails(&["up", "--align", "flywheel"], 2, &parts);
    assert_eq!(error["kind"], "invalid_config");
    let call = sandbox.run_with(&[("LOCKAGE_ALIGN", "sqlx, flywheel")], &["up"]);
    assert!(
        call.code == 2 && call.err.contains("LOCKAGE_ALIGN: `flywheel`"),
        "{call:?}"
    );
    for text in [
        "[lock]\nalign = ['flywheel']\n",
        "lock.align = 'flywheel'\n",
    ] {
        sandbox.write("lockage.toml", text);
        let error = sandbox.fails(&["up"], 2, &["lockage.toml", "`flywheel` is no tool"]);
        assert_eq!(error["file"], "lockage.toml");
    }
    sandbox.write("lockage.toml", "[lock]\nalgin = 'sqlx'\n");
    sandbox.fails(&["up"], 2, &["unknown field `algin`"]);
}

#[test]
fn what_cannot_be_taken_is_refused_with_the_reason_before_anything_is_written() {
    let sandbox = sandbox(&THREE);
    for (tool, part) in [
        ("wolverine", "BEGIN EXCLUSIVE"),
        ("ef-core", "a row that stays"),
        ("sqlx", "it takes none on SQLite"),
        ("dbmate", "it acquires no lock when it migrates"),
        ("lock:7", "SQLite has no locks by number or name"),
    ] {
        let error = sandbox.fails(&["up", "--align", tool], 2, &[part]);
        assert_eq!(error["kind"], "unsupported");
    }
    assert!(!sandbox.path("app.db").exists());
}

#[test]
fn auto_tells_whom_it_found_and_goes_on() {
    let sandbox = sandbox(&THREE);
    let client = rusqlite::Connection::open(sandbox.path("app.db")).unwrap();
    client
        .execute_batch("CREATE TABLE __EFMigrationsHistory (MigrationId TEXT); CREATE TABLE changelog (id INTEGER)")
        .unwrap();
    let (code, object) = sandbox.json(&["lock", "status"]);
    assert_eq!(code, 0, "{object}");
    let neighbours = object["neighbours"].as_array().unwrap();
    assert_eq!(neighbours.len(), 1, "{object}");
    assert_eq!(neighbours[0]["tool"], "ef-core");
    assert!(neighbours[0]["lock"].is_null() && neighbours[0]["taken"] == false);
    let call = sandbox.run(&["lock", "status"]).succeeds();
    assert!(
        call.out.contains(
            "other tools use the database:\n  ef-core: the lock of ef-core cannot be acquired"
        ),
        "{call:?}"
    );
    let call = sandbox.run(&["up", "--align", "auto"]).succeeds();
    assert!(
        call.err
            .contains("WARNING: the lock of ef-core cannot be acquired"),
        "{call:?}"
    );
    assert_states(
        &sandbox,
        &[("1", "applied"), ("2", "applied"), ("3", "applied")],
    );
}
