//! `message-store` commands.

use serde_json::json;

use super::sandbox;
use crate::sandbox::{CallResult, Sandbox};

fn message_store(sandbox: &Sandbox, args: &[&str]) -> CallResult {
    let args: Vec<&str> = ["message-store"].iter().chain(args).copied().collect();
    sandbox.run(&args)
}

#[test]
// Long because one database lives through all commands.
fn message_store_commands_manage_one_database() {
    let sandbox = sandbox(&[]);
    let error = sandbox.expect_failure(
        &["message-store", "check"],
        3,
        &[
            "migration 1 (envelopes) is not applied",
            "message-store migrate",
        ],
    );
    assert_eq!(error["kind"], "not_current");
    sandbox.expect_failure(
        &["message-store", "counts"],
        3,
        &["no message database exists"],
    );
    assert!(!sandbox.path("app.db").exists());

    let created = message_store(&sandbox, &["migrate"]).expect_success();
    assert_eq!(created.out, "3 migrations applied to sqlite:app.db\n");
    let (code, again) = sandbox.run_json(&["message-store", "migrate"]);
    assert_eq!((code, &again["outcome"]), (0, &json!("up_to_date")));
    assert_eq!(again["took_lock"], false);
    assert_eq!(again["lock"], "4006");
    let (code, check) = sandbox.run_json(&["message-store", "check"]);
    assert_eq!((code, &check["outcome"]), (0, &json!("up_to_date")));

    let insert = "INSERT INTO outgoing_envelopes (id, owner_id, destination, body, message_type) VALUES ('a', 7, 'd', 'x', 't')";
    let database = rusqlite::Connection::open(sandbox.path("app.db")).unwrap();
    database.execute(insert, ()).unwrap();
    let owner = || -> i64 {
        let query = "SELECT owner_id FROM outgoing_envelopes";
        database.query_row(query, (), |row| row.get(0)).unwrap()
    };
    let missing_owner = message_store(&sandbox, &["release"]);
    assert!(
        missing_owner.err.contains("--all|--node"),
        "{missing_owner:?}"
    );
    message_store(&sandbox, &["release", "--node", "8"]).expect_success();
    assert_eq!(owner(), 7);
    message_store(&sandbox, &["release", "--all"]).expect_success();
    assert_eq!(owner(), 0);
    let counts = message_store(&sandbox, &["counts"]).expect_success().out;
    assert!(counts.contains("outgoing"), "{counts}");
    let (_, counts) = sandbox.run_json(&["message-store", "counts"]);
    assert_eq!(
        counts["counts"],
        json!({"incoming": 0, "scheduled": 0, "handled": 0, "outgoing": 1, "dead_letters": 0})
    );

    for (command, refused) in [
        ("clear", "no message was deleted"),
        ("rebuild", "nothing was rebuilt"),
    ] {
        sandbox.expect_failure(&["message-store", command], 2, &[refused, "--yes"]);
    }
    assert_eq!(owner(), 0);
    message_store(&sandbox, &["clear", "--yes"]).expect_success();
    let (_, counts) = sandbox.run_json(&["message-store", "counts"]);
    assert_eq!(counts["counts"]["outgoing"], 0);
    drop(database);
    let (code, rebuilt) = sandbox.run_json(&["message-store", "rebuild", "--yes"]);
    assert_eq!((code, &rebuilt["outcome"]), (0, &json!("rebuilt")));
    assert_eq!(rebuilt["took_lock"], true);
    // The migrations of an application have a separate history.
    sandbox.write_migration("V1__a.sql", "CREATE TABLE a (id INTEGER);\n");
    sandbox.run(&["up"]).expect_success();
    message_store(&sandbox, &["check"]).expect_success();
}

#[test]
fn failing_tenant_is_named_and_others_are_migrated() {
    let sandbox = sandbox(&[]);
    let tenants = [
        "--tenant",
        "bad=sqlite:no/folder/b.db",
        "--tenant",
        "good=sqlite:g.db",
    ];
    let args: Vec<&str> = ["migrate"].into_iter().chain(tenants).collect();
    let call = message_store(&sandbox, &args);
    assert_eq!(call.code, 6, "{call:?}");
    assert!(call.err.contains("tenant `bad`: "), "{call:?}");
    assert!(call.out.contains("sqlite:g.db (tenant good)"), "{call:?}");
    let args: Vec<&str> = ["message-store"].into_iter().chain(args).collect();
    let (code, object) = sandbox.run_json(&args);
    assert_eq!(code, 6, "{object}");
    assert_eq!(object["outcome"], "failed");
    assert_eq!(object["error"]["kind"], "connect");
    assert_eq!(object["tenants"][0]["tenant"], "bad");
    assert_eq!(object["tenants"][0]["outcome"], "failed");
    assert_eq!(object["tenants"][1]["outcome"], "up_to_date");
    let wrong = message_store(&sandbox, &["migrate", "--tenant", "secret"]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
}

#[test]
fn sixteen_processes_create_one_message_database() {
    let sandbox = sandbox(&[]);
    let objects = sandbox.run_concurrently(16, &["message-store", "migrate", "--lock-id", "4004"]);
    let applied = objects
        .iter()
        .filter(|one| one["outcome"] == "applied")
        .count();
    let current = objects
        .iter()
        .filter(|one| one["outcome"] == "up_to_date")
        .count();
    assert_eq!((applied, current), (1, 15), "{objects:?}");
    assert!(sandbox.path("app.db-lockage-4004.lock").exists());
    message_store(&sandbox, &["check"]).expect_success();
}
