//! End-to-end tests on SQLite.

mod baseline;
mod down;
mod failures;
mod foreign_locks;
mod history;
mod json_output;
mod lock;
#[cfg(feature = "message-store")]
mod message_store;
mod messages;
#[cfg(unix)]
mod permissions;
mod processes;
#[cfg(unix)]
mod progress;
mod read_commands;
mod repair;
mod up;

use crate::sandbox::{CallResult, Sandbox};

const DOTENV: &str = "DATABASE_URL=sqlite:app.db\n";

/// Three consecutive migrations.
const THREE_MIGRATIONS: [(&str, &str); 3] = [
    (
        "V1__users.sql",
        "CREATE TABLE users (id INTEGER PRIMARY KEY);\n",
    ),
    (
        "V2__orders.sql",
        "CREATE TABLE orders (id INTEGER PRIMARY KEY);\nINSERT INTO orders VALUES (1);\n",
    ),
    ("V3__names.sql", "ALTER TABLE users ADD COLUMN name TEXT;\n"),
];

/// A statement that runs until it is cancelled.
const FOREVER: &str = "CREATE TABLE n AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c;\n";

/// Creates a sandbox with migrations and a `.env` that names a database.
fn sandbox(files: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::with_migrations(files);
    sandbox.write(".env", DOTENV);
    sandbox
}

/// Returns the state of each migration with its version, or with its name if it is repeatable.
fn states(sandbox: &Sandbox) -> Vec<(String, String)> {
    let (code, object) = sandbox.run_json(&["status"]);
    assert_eq!(code, 0, "{object}");
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    object["migrations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let key = if row["version"].is_null() {
                &row["name"]
            } else {
                &row["version"]
            };
            (text(key), text(&row["state"]))
        })
        .collect()
}

#[track_caller]
fn assert_states(sandbox: &Sandbox, expected: &[(&str, &str)]) {
    let states = states(sandbox);
    let states: Vec<(&str, &str)> = states
        .iter()
        .map(|(key, state)| (key.as_str(), state.as_str()))
        .collect();
    assert_eq!(states, expected);
}

fn up(sandbox: &Sandbox) -> CallResult {
    sandbox.run(&["up"]).expect_success()
}
