//! Several processes on one database.

use serde_json::Value;

use super::{THREE_MIGRATIONS, assert_states, sandbox};

#[test]
fn sixteen_processes_apply_every_migration_once() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    let objects = sandbox.run_concurrently(16, &["up"]);
    let mut applied: Vec<&str> = objects
        .iter()
        .flat_map(|object| object["applied"].as_array().unwrap())
        .map(|one| one["version"].as_str().unwrap())
        .collect();
    applied.sort_unstable();
    assert_eq!(applied, ["1", "2", "3"]);
    let idle = objects
        .iter()
        .filter(|object| object["outcome"] == "up_to_date")
        .count();
    assert_eq!(idle, 15, "{objects:?}");
    assert_states(
        &sandbox,
        &[("1", "applied"), ("2", "applied"), ("3", "applied")],
    );
}

#[test]
fn trace_file_has_events_of_all_processes() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    let trace = sandbox.path("trace.jsonl");
    for _ in 0..2 {
        let mut up = sandbox.command(&["up"]);
        let output = up.env("LOCKAGE_TRACE", &trace).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let text = std::fs::read_to_string(trace).unwrap();
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names: Vec<&str> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    let steps = ["started", "applied"].repeat(3);
    let first = [
        &["connected", "acquired"],
        &*steps,
        &["releasing", "released"],
    ]
    .concat();
    assert_eq!(names, [&*first, &["connected", "current"]].concat());
    assert_eq!(events[2]["version"], "1");
    assert_eq!(events[2]["name"], "users");
    assert_ne!(events[0]["pid"], events[names.len() - 1]["pid"]);
}
