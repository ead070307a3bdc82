use super::{THREE_MIGRATIONS, assert_states, sandbox, up};

#[test]
fn first_up_applies_and_second_is_up_to_date() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    let first = up(&sandbox);
    assert_eq!(first.out, "3 migrations applied to sqlite:app.db\n");
    assert!(first.err.contains("[2/3] applying 2 orders"), "{first:?}");
    let (code, second) = sandbox.run_json(&["up"]);
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
fn up_json_lists_applied_migrations() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    sandbox.write_migration("R__views.sql", "CREATE VIEW v AS SELECT 1;\n");
    let (code, object) = sandbox.run_json(&["up", "--lock-name", "shop"]);
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
fn up_stops_at_version_or_step_limit() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    sandbox.run(&["up", "--to", "1"]).expect_success();
    assert_states(
        &sandbox,
        &[("1", "applied"), ("2", "pending"), ("3", "pending")],
    );
    sandbox.run(&["up", "--steps", "1"]).expect_success();
    assert_states(
        &sandbox,
        &[("1", "applied"), ("2", "applied"), ("3", "pending")],
    );
    let error =
        sandbox.expect_failure(&["up", "--to", "9"], 2, &["no migration has the version 9"]);
    assert_eq!(error["kind"], "invalid_config");
}

#[test]
fn dry_run_with_create_shows_plan_without_creating_database() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    let url = ["up", "--dry-run", "--url", "sqlite:nowhere/app.db"];
    assert_eq!(sandbox.run(&url).code, 6);
    let create: Vec<&str> = url.into_iter().chain(["--create"]).collect();
    let call = sandbox.run(&create).expect_success();
    assert!(
        call.out
            .ends_with("3 migrations to apply to sqlite:nowhere/app.db\n"),
        "{call:?}"
    );
    assert!(!sandbox.path("nowhere").exists());
}

#[test]
fn dry_run_shows_plan_and_writes_nothing() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    let call = sandbox
        .run(&["up", "--dry-run", "--steps", "2"])
        .expect_success();
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
            .file_names(".")
            .iter()
            .any(|name| name.contains("lockage-")),
        "a lock file was created"
    );
    assert_states(
        &sandbox,
        &[("1", "pending"), ("2", "pending"), ("3", "pending")],
    );
    let (code, object) = sandbox.run_json(&["up", "--dry-run"]);
    assert_eq!((code, &object["outcome"]), (0, &"pending".into()));
    assert_eq!(object["steps"].as_array().unwrap().len(), 3);
    assert_eq!(object["took_lock"], false);
}

#[test]
fn changed_repeatable_migration_runs_again() {
    let sandbox = sandbox(&[("R__views.sql", "CREATE VIEW v AS SELECT 1;\n")]);
    up(&sandbox);
    sandbox.write_migration("R__views.sql", "DROP VIEW v; CREATE VIEW v AS SELECT 2;\n");
    let plan = sandbox.run(&["plan"]).expect_success();
    assert!(
        plan.out.contains("why: changed since it was applied"),
        "{plan:?}"
    );
    assert!(up(&sandbox).out.starts_with("1 migration applied"));
    assert_states(&sandbox, &[("views", "applied")]);
}

#[test]
fn verbose_and_quiet_change_output() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    let call = sandbox.run(&["-v", "up", "--steps", "2"]).expect_success();
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
    let call = sandbox.run(&["up", "--quiet"]).expect_success();
    assert_eq!((call.out.as_str(), call.err.as_str()), ("", ""));
    let call = sandbox.run(&["status", "-q"]).expect_success();
    assert_eq!(call.out.lines().count(), 5);
    assert!(
        call.out.ends_with("\n3 migrations: 3 applied\n"),
        "{call:?}"
    );
}

#[test]
fn in_memory_database_starts_empty() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    for _ in 0..2 {
        let call = sandbox
            .run(&["up", "--url", "sqlite::memory:"])
            .expect_success();
        assert!(call.out.starts_with("3 migrations applied"), "{call:?}");
    }
}
