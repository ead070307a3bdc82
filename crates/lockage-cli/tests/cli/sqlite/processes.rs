use super::{THREE, assert_states, sandbox};

#[test]
fn sixteen_processes_apply_every_migration_once() {
    let sandbox = sandbox(&THREE);
    let objects = sandbox.all_at_once(16, &["up"]);
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
