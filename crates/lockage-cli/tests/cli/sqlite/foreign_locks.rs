//! `--align` on SQLite, which has no locks of other tools.

use super::{THREE_MIGRATIONS, assert_states, sandbox};

#[test]
fn unknown_tool_lists_known_tools() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    let parts = [
        "--align: unknown migration tool `flywheel`",
        "flyway, golang-migrate",
    ];
    let error = sandbox.expect_failure(&["up", "--align", "flywheel"], 2, &parts);
    assert_eq!(error["kind"], "invalid_config");
    let call = sandbox.run_with(&[("LOCKAGE_ALIGN", "sqlx, flywheel")], &["up"]);
    assert!(
        call.code == 2
            && call
                .err
                .contains("LOCKAGE_ALIGN: unknown migration tool `flywheel`"),
        "{call:?}"
    );
    for text in [
        "[lock]\nalign = ['flywheel']\n",
        "lock.align = 'flywheel'\n",
    ] {
        sandbox.write("lockage.toml", text);
        let error = sandbox.expect_failure(
            &["up"],
            2,
            &["lockage.toml", "unknown migration tool `flywheel`"],
        );
        assert_eq!(error["file"], "lockage.toml");
    }
    sandbox.write("lockage.toml", "[lock]\nalgin = 'sqlx'\n");
    sandbox.expect_failure(&["up"], 2, &["unknown field `algin`"]);
}

#[test]
fn unavailable_foreign_lock_fails_before_writing() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    for (tool, part) in [
        ("wolverine", "BEGIN EXCLUSIVE"),
        ("ef-core", "it is a table row without expiry"),
        ("sqlx", "it takes no lock on SQLite"),
        ("dbmate", "it acquires no lock when it migrates"),
        ("lock:7", "SQLite has no locks with a number or a name"),
    ] {
        let error = sandbox.expect_failure(&["up", "--align", tool], 2, &[part]);
        assert_eq!(error["kind"], "unsupported");
    }
    assert!(!sandbox.path("app.db").exists());
}

#[test]
fn auto_warns_about_unavailable_lock_and_continues() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    let client = rusqlite::Connection::open(sandbox.path("app.db")).unwrap();
    client
        .execute_batch("CREATE TABLE __EFMigrationsHistory (MigrationId TEXT); CREATE TABLE changelog (id INTEGER)")
        .unwrap();
    let (code, object) = sandbox.run_json(&["lock", "status"]);
    assert_eq!(code, 0, "{object}");
    let foreign_locks = object["neighbours"].as_array().unwrap();
    assert_eq!(foreign_locks.len(), 1, "{object}");
    assert_eq!(foreign_locks[0]["tool"], "ef-core");
    assert!(foreign_locks[0]["lock"].is_null() && foreign_locks[0]["taken"] == false);
    let call = sandbox.run(&["lock", "status"]).expect_success();
    assert!(
        call.out
            .contains("locks of other tools:\n  ef-core: the lock of ef-core cannot be acquired"),
        "{call:?}"
    );
    let call = sandbox.run(&["up", "--align", "auto"]).expect_success();
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
