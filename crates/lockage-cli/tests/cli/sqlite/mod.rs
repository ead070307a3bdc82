//! From end to end, on SQLite.

mod baseline;
mod down;
mod failures;
mod golden;
mod history;
mod lock;
mod looking;
#[cfg(feature = "message-store")]
mod message_store;
mod neighbours;
mod processes;
#[cfg(unix)]
mod progress;
mod repair;
#[cfg(unix)]
mod rights;
mod up;

use crate::sandbox::{Call, Sandbox};

const ENV: &str = "DATABASE_URL=sqlite:app.db\n";

/// Three migrations that follow on each other.
const THREE: [(&str, &str); 3] = [
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

/// A working directory whose `.env` names a database, with migrations.
fn sandbox(files: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::with(files);
    sandbox.write(".env", ENV);
    sandbox
}

/// The state of each migration by its version, or by its name where it has none.
fn states(sandbox: &Sandbox) -> Vec<(String, String)> {
    let (code, object) = sandbox.json(&["status"]);
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

fn up(sandbox: &Sandbox) -> Call {
    sandbox.run(&["up"]).succeeds()
}
