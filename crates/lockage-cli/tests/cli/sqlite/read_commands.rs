use super::{THREE_MIGRATIONS, sandbox, up};

#[test]
fn check_reports_whether_database_is_current() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    let call = sandbox.run(&["check"]);
    assert_eq!(call.code, 3);
    assert!(call.out.contains("3 migrations pending"), "{call:?}");
    assert_eq!(sandbox.run(&["check", "-q"]).out, "");
    let (code, object) = sandbox.run_json(&["check"]);
    assert_eq!((code, &object["outcome"]), (3, &"pending".into()));
    assert_eq!(object["pending"][1]["name"], "orders");
    assert!(object["error"].is_null());
    sandbox.run(&["up", "--to", "2"]).expect_success();
    assert_eq!(sandbox.run(&["check"]).code, 3);
    sandbox.run(&["check", "--to", "2"]).expect_success();
    up(&sandbox);
    let call = sandbox.run(&["check"]).expect_success();
    assert_eq!(call.out, "sqlite:app.db is up to date\n");
}

#[test]
fn wait_ends_when_database_is_current() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    let call = sandbox.run(&["wait", "--timeout", "50ms"]);
    assert_eq!(call.code, 3, "{call:?}");
    assert!(!sandbox.path("app.db").exists());
    let nowhere = [
        "wait",
        "--url",
        "sqlite:nowhere/app.db",
        "--timeout",
        "50ms",
    ];
    let (code, object) = sandbox.run_json(&nowhere);
    assert_eq!((code, &object["outcome"]), (3, &"pending".into()));
    assert_eq!(object["pending"].as_array().unwrap().len(), 3);
    let waiter = sandbox
        .command(&["wait", "--timeout", "10m", "--json"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    sandbox.run(&["up", "--to", "2"]).expect_success();
    up(&sandbox);
    let ended = waiter.wait_with_output().unwrap();
    let object = crate::sandbox::CallResult::from_output(&ended)
        .expect_success()
        .object();
    assert_eq!(
        (&object["outcome"], &object["took_lock"]),
        (&"up_to_date".into(), &false.into())
    );
}

#[test]
fn plan_shows_reason_and_statements_with_positions() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    sandbox.run(&["up", "--to", "1"]).expect_success();
    let call = sandbox.run(&["plan"]).expect_success();
    for part in [
        "2 orders (versioned)\n  why: not applied yet\n  how: in one transaction\n",
        "V2__orders.sql:2\n    INSERT INTO orders VALUES (1)\n",
        "2 migrations to apply to sqlite:app.db\n",
    ] {
        assert!(call.out.contains(part), "{call:?}");
    }
    let (code, object) = sandbox.run_json(&["plan", "--steps", "1"]);
    assert_eq!((code, &object["outcome"]), (0, &"pending".into()));
    let steps = object["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 1);
    assert_eq!(steps[0]["why"], "not applied yet");
    assert_eq!(steps[0]["transaction"], true);
    assert_eq!(
        steps[0]["statements"],
        serde_json::json!([
            {"line": 1, "sql": "CREATE TABLE orders (id INTEGER PRIMARY KEY)", "done": false},
            {"line": 2, "sql": "INSERT INTO orders VALUES (1)", "done": false},
        ])
    );
    up(&sandbox);
    assert_eq!(
        sandbox.run(&["plan"]).expect_success().out,
        "sqlite:app.db is up to date\n"
    );
}

#[test]
fn status_shows_table_of_all_migrations() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    sandbox.run(&["up", "--to", "1"]).expect_success();
    let call = sandbox.run(&["status"]).expect_success();
    let lines: Vec<Vec<&str>> = call
        .out
        .lines()
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect()
        })
        .collect();
    assert_eq!(
        lines[0],
        ["version", "name", "kind", "state", "when", "took", "by"]
    );
    assert_eq!(lines[1][..4], ["1", "users", "versioned", "applied"]);
    assert_eq!(lines[1].len(), 7, "{call:?}");
    assert_eq!(lines[2], ["2", "orders", "versioned", "pending"]);
    let (_, object) = sandbox.run_json(&["status"]);
    assert_eq!(object["outcome"], "pending");
    let row = &object["migrations"][0];
    assert_eq!(row["checksum"].as_str().unwrap().len(), 64);
    assert!(row["applied_by"].as_str().unwrap().contains('@'));
    assert!(row["applied_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(
        (&row["statements_done"], &row["statements_total"]),
        (&1.into(), &1.into())
    );
    assert!(object["migrations"][2]["applied_at"].is_null());
}

#[test]
fn validate_compares_checksums_and_accepts_pending_migrations() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    sandbox.run(&["validate"]).expect_success();
    sandbox.run(&["up", "--to", "1"]).expect_success();
    let call = sandbox.run(&["validate"]).expect_success();
    assert!(
        call.out.contains("the history of sqlite:app.db matches"),
        "{call:?}"
    );
    sandbox.write_migration("V1__users.sql", "CREATE TABLE users (id TEXT);\n");
    sandbox.run(&["validate", "--offline"]).expect_success();
    let error = sandbox.expect_failure(
        &["validate"],
        4,
        &["version 1 (users) changed after it was applied"],
    );
    assert_eq!(error["kind"], "diverged");
}

#[test]
fn backends_are_listed_with_schemes() {
    let sandbox = sandbox(&[]);
    let call = sandbox.run(&["backends"]).expect_success();
    assert!(
        call.out.contains("lockage-sqlite") && call.out.contains("sqlite"),
        "{call:?}"
    );
    let (_, object) = sandbox.run_json(&["backends"]);
    let sqlite = object["backends"]
        .as_array()
        .unwrap()
        .iter()
        .find(|backend| backend["name"] == "lockage-sqlite")
        .unwrap();
    assert_eq!(sqlite["schemes"][0], "sqlite");
    assert_eq!(sqlite["transactional_ddl"], true);
}

#[test]
fn read_only_database_allows_read_commands() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    sandbox.run(&["up", "--to", "2"]).expect_success();
    let url = ["--url", "sqlite:app.db?mode=ro"];
    for (command, code) in [("status", 0), ("plan", 0), ("check", 3), ("validate", 0)] {
        let call = sandbox.run(&[command, url[0], url[1]]);
        assert_eq!(call.code, code, "{call:?}");
    }
    let before = std::fs::read(sandbox.path("app.db")).unwrap();
    sandbox.expect_failure(&["up", url[0], url[1]], 2, &["mode=ro cannot be migrated"]);
    assert_eq!(std::fs::read(sandbox.path("app.db")).unwrap(), before);
    up(&sandbox);
    sandbox
        .run(&["wait", url[0], url[1], "--timeout", "1m"])
        .expect_success();
}
