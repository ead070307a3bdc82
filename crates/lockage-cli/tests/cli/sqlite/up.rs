use super::{THREE, assert_states, sandbox, up};

#[test]
fn a_first_run_applies_and_a_second_has_nothing_to_do() {
    let sandbox = sandbox(&THREE);
    let first = up(&sandbox);
    assert_eq!(first.out, "3 migrations applied to sqlite:app.db\n");
    assert!(first.err.contains("[2/3] applying 2 orders"), "{first:?}");
    let (code, second) = sandbox.json(&["up"]);
    assert_eq!(code, 0);
    assert_eq!(second["outcome"], "up_to_date");
    assert_eq!(second["took_lock"], false);
    assert_eq!(second["applied"], serde_json::json!([]));
    let third = up(&sandbox);
    assert_eq!(
        (third.out.as_str(), third.err.as_str()),
        ("sqlite:app.db is up to date\n", "")
    );
}

#[test]
fn the_object_tells_what_was_done() {
    let sandbox = sandbox(&THREE);
    sandbox.migration("R__views.sql", "CREATE VIEW v AS SELECT 1;\n");
    let (code, object) = sandbox.json(&["up", "--lock-name", "shop"]);
    assert_eq!(code, 0);
    assert_eq!(object["outcome"], "applied");
    assert_eq!(object["database"], "sqlite:app.db");
    assert_eq!(object["lock"], "shop");
    assert_eq!(object["took_lock"], true);
    assert!(object["error"].is_null());
    let applied = object["applied"].as_array().unwrap();
    assert_eq!(applied.len(), 4);
    assert_eq!(
        (&applied[0]["version"], &applied[0]["name"]),
        (&"1".into(), &"users".into())
    );
    assert!(applied[0]["ms"].is_u64() && object["waited_ms"].is_u64());
    assert!(applied[3]["version"].is_null());
    assert_eq!(applied[3]["name"], "views");
}

#[test]
fn a_run_goes_as_far_as_it_is_told() {
    let sandbox = sandbox(&THREE);
    sandbox.run(&["up", "--to", "1"]).succeeds();
    assert_states(
        &sandbox,
        &[("1", "applied"), ("2", "pending"), ("3", "pending")],
    );
    sandbox.run(&["up", "--steps", "1"]).succeeds();
    assert_states(
        &sandbox,
        &[("1", "applied"), ("2", "applied"), ("3", "pending")],
    );
    let error = sandbox.fails(&["up", "--to", "9"], 2, &["no migration of version 9"]);
    assert_eq!(error["kind"], "invalid_config");
}

#[test]
fn a_dry_run_that_is_to_make_the_database_shows_what_would_be_in_it() {
    let sandbox = sandbox(&THREE);
    let url = ["up", "--dry-run", "--url", "sqlite:nowhere/app.db"];
    assert_eq!(sandbox.run(&url).code, 6);
    let create: Vec<&str> = url.into_iter().chain(["--create"]).collect();
    let call = sandbox.run(&create).succeeds();
    assert!(
        call.out
            .ends_with("3 migrations to apply to sqlite:nowhere/app.db\n"),
        "{call:?}"
    );
    assert!(!sandbox.path("nowhere").exists());
}

#[test]
fn a_dry_run_shows_and_does_nothing() {
    let sandbox = sandbox(&THREE);
    let call = sandbox.run(&["up", "--dry-run", "--steps", "2"]).succeeds();
    assert!(
        call.out.contains("INSERT INTO orders VALUES (1)"),
        "{call:?}"
    );
    assert!(
        call.out
            .ends_with("2 migrations to apply to sqlite:app.db\n"),
        "{call:?}"
    );
    assert!(
        !sandbox
            .names(".")
            .iter()
            .any(|name| name.contains("lockage-")),
        "a lock file was made"
    );
    assert_states(
        &sandbox,
        &[("1", "pending"), ("2", "pending"), ("3", "pending")],
    );
    let (code, object) = sandbox.json(&["up", "--dry-run"]);
    assert_eq!((code, &object["outcome"]), (0, &"pending".into()));
    assert_eq!(object["steps"].as_array().unwrap().len(), 3);
    assert_eq!(object["took_lock"], false);
}

#[test]
fn a_repeatable_migration_runs_again_when_it_changed() {
    let sandbox = sandbox(&[("R__views.sql", "CREATE VIEW v AS SELECT 1;\n")]);
    up(&sandbox);
    sandbox.migration("R__views.sql", "DROP VIEW v; CREATE VIEW v AS SELECT 2;\n");
    let plan = sandbox.run(&["plan"]).succeeds();
    assert!(
        plan.out.contains("why: changed since it was applied"),
        "{plan:?}"
    );
    assert!(up(&sandbox).out.starts_with("1 migration applied"));
    assert_states(&sandbox, &[("views", "applied")]);
}

#[test]
fn words_are_many_or_none_as_wished() {
    let sandbox = sandbox(&THREE);
    let call = sandbox.run(&["-v", "up", "--steps", "2"]).succeeds();
    let second = std::path::Path::new("migrations").join("V2__orders.sql:2");
    let line = format!(
        "  2/2  {}  INSERT INTO orders VALUES (1)\n",
        second.display()
    );
    assert!(call.err.contains(&line), "{call:?}");
    assert!(
        call.err.contains("connected to sqlite:app.db\n"),
        "{call:?}"
    );
    let call = sandbox.run(&["up", "--quiet"]).succeeds();
    assert_eq!((call.out.as_str(), call.err.as_str()), ("", ""));
    let call = sandbox.run(&["status", "-q"]).succeeds();
    assert_eq!(call.out.lines().count(), 4);
}

#[test]
fn a_database_in_memory_starts_empty_each_time() {
    let sandbox = sandbox(&THREE);
    for _ in 0..2 {
        let call = sandbox.run(&["up", "--url", "sqlite::memory:"]).succeeds();
        assert!(call.out.starts_with("3 migrations applied"), "{call:?}");
    }
}
