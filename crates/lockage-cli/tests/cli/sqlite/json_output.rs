//! Every key of every JSON object, as scripts read them.

use serde_json::{Value, json};

use super::sandbox;
use crate::sandbox::Sandbox;

/// Runs the program with `--json` and masks the values that differ from run to run.
fn run_masked(sandbox: &Sandbox, args: &[&str]) -> (i32, Value) {
    let (code, mut object) = sandbox.run_json(args);
    mask(&mut object);
    (code, object)
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                match key.as_str() {
                    "ms" | "waited_ms" if value.is_number() => *value = 0.into(),
                    "applied_at" | "applied_by" if value.is_string() => *value = "…".into(),
                    _ => mask(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(mask),
        _ => {}
    }
}

/// Returns the keys of every command about migrations, with the values of an idle run, replaced by those of `more`.
fn expected_object(outcome: &str, more: Value) -> Value {
    let mut object = json!({
        "outcome": outcome, "applied": [], "pending": [], "future": [], "waited_ms": 0, "took_lock": false,
        "lock": "4006", "database": "sqlite:app.db", "error": null
    });
    for (key, value) in more.as_object().unwrap() {
        object[key] = value.clone();
    }
    object
}

// Long because each command depends on the state that the commands before it left.
#[test]
fn json_output_of_every_command() {
    let sandbox = sandbox(&[
        ("V1__create_users.sql", "CREATE TABLE users (id int);\n"),
        ("U1__create_users.sql", "DROP TABLE users;\n"),
    ]);
    let sum = "537129faaa4be351bd58fa07b80cf56476785f89e597a6820328d2c49ac6ae05";
    let one = json!([{"version": "1", "name": "create users"}]);
    let done = json!([{"version": "1", "name": "create users", "ms": 0}]);
    let row = |state: &str, applied: Option<&str>| {
        let count = applied.map(|_| 1);
        json!([{
            "version": "1", "name": "create users", "kind": "versioned", "state": state,
            "file": "migrations/V1__create_users.sql", "checksum": sum, "applied_at": applied, "applied_by": applied,
            "ms": count.map(|_| 0), "statements_done": count, "statements_total": count
        }])
    };
    let plan = json!([{
        "version": "1", "name": "create users", "kind": "versioned", "action": "run",
        "file": "migrations/V1__create_users.sql", "why": "not applied yet", "transaction": true,
        "statements": [{"line": 1, "sql": "CREATE TABLE users (id int)", "done": false}]
    }]);
    for (args, code, expected) in [
        (
            &["status"][..],
            0,
            expected_object(
                "pending",
                json!({"pending": one, "migrations": row("pending", None)}),
            ),
        ),
        (
            &["plan"],
            0,
            expected_object("pending", json!({"pending": one, "steps": plan})),
        ),
        (
            &["check"],
            3,
            expected_object("pending", json!({"pending": one})),
        ),
        (
            &["wait", "--timeout", "1ms"],
            3,
            expected_object("pending", json!({"pending": one})),
        ),
        (
            &["validate"],
            0,
            expected_object("valid", json!({"files": 2})),
        ),
        (
            &["up"],
            0,
            expected_object("applied", json!({"applied": done, "took_lock": true})),
        ),
        (&["up"], 0, expected_object("up_to_date", json!({}))),
        (&["check"], 0, expected_object("up_to_date", json!({}))),
        (
            &["status"],
            0,
            expected_object(
                "up_to_date",
                json!({"migrations": row("applied", Some("…"))}),
            ),
        ),
        (
            &["down"],
            0,
            expected_object("undone", json!({"undone": done, "took_lock": true})),
        ),
        (
            &["repair"],
            0,
            expected_object("up_to_date", json!({"repaired": [], "steps": []})),
        ),
        (
            &["lock", "status"],
            0,
            json!({
                "outcome": "free", "lock": "4006", "database": "sqlite:app.db", "holder": null, "neighbours": [],
                "query": null, "error": null
            }),
        ),
    ] {
        assert_eq!(run_masked(&sandbox, args), (code, expected), "{args:?}");
    }
}

#[test]
fn json_output_of_failed_migration() {
    let sandbox = sandbox(&[
        ("V1__a.sql", "CREATE TABLE a (id int);\n"),
        ("V2__b.sql", "-- more\nCREATE TABEL b (id int);\n"),
    ]);
    let error = json!({
        "kind": "migration_failed", "message": "near \"TABEL\": syntax error", "file": "migrations/V2__b.sql", "line": 2, "column": 8,
        "line_text": "CREATE TABEL b (id int)", "hint": null, "retryable": false,
        "context": {"effect": "the migration was rolled back as a whole", "sqlite_code": "1"},
        "causes": ["near \"TABEL\": syntax error in CREATE TABEL b (id int) at offset 7", "Error code 1: SQL logic error"],
        "related": []
    });
    let expected = expected_object(
        "failed",
        json!({
            "applied": [{"version": "1", "name": "a", "ms": 0}], "pending": [{"version": "2", "name": "b"}], "took_lock": true,
            "error": error
        }),
    );
    assert_eq!(run_masked(&sandbox, &["up"]), (1, expected));
}
