use crate::sandbox::Sandbox;

#[test]
fn invalid_arguments_exit_with_2() {
    let sandbox = Sandbox::new();
    for (args, part) in [
        (&["stauts"][..], "unrecognized subcommand 'stauts'"),
        (&["up", "--bogus"], "unexpected argument '--bogus'"),
        (&["up", "--steps", "0"], "at least one step"),
        (&["up", "--to", "x"], "a version is an integer"),
        (&["up", "--wait", "1s", "--no-wait"], "cannot be used with"),
        (
            &["up", "--lock-id", "1", "--lock-name", "a"],
            "cannot be used with",
        ),
        (
            &["down", "--to", "1", "--steps", "1"],
            "cannot be used with",
        ),
        (
            &["new", "a", "--undo", "--repeatable"],
            "cannot be used with",
        ),
        (&["-q", "-v", "status"], "cannot be used with"),
        (&["wait", "--timeout", "5"], "write 500ms"),
        (&["new"], "required arguments were not provided"),
        (&["baseline"], "required arguments were not provided"),
        (&["repair", "--resolve", "maybe"], "invalid value 'maybe'"),
    ] {
        let call = sandbox.run(args);
        assert_eq!((call.code, call.out.as_str()), (2, ""), "{call:?}");
        assert!(call.err.contains(part), "{call:?}");
        let (code, object) = sandbox.run_json(args);
        assert_eq!(code, 2);
        assert_eq!(object["outcome"], "failed");
        assert_eq!(object["error"]["kind"], "usage");
        assert!(
            object["error"]["message"].as_str().unwrap().contains(part),
            "{object}"
        );
        assert_eq!(object["applied"], serde_json::json!([]));
    }
}

#[test]
fn missing_command_shows_help_and_exits_with_2() {
    let sandbox = Sandbox::new();
    let call = sandbox.run(&[]);
    assert_eq!((call.code, call.out.as_str()), (2, ""));
    assert!(call.err.contains("Usage: lockage"), "{call:?}");
    let (code, object) = sandbox.run_json(&[]);
    assert_eq!(code, 2);
    assert_eq!(object["error"]["kind"], "usage");
    assert_eq!(sandbox.run_json(&["lock"]).0, 2);
}

#[test]
fn help_and_version_go_to_stdout() {
    let sandbox = Sandbox::new();
    let version = format!("lockage {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(sandbox.run(&["--version"]).expect_success().out, version);
    let (code, object) = sandbox.run_json(&["--version"]);
    assert_eq!(
        (code, object["version"].as_str()),
        (0, Some(env!("CARGO_PKG_VERSION")))
    );
    let help = sandbox.run(&["up", "--help"]).expect_success();
    assert!(help.out.contains("--out-of-order") && help.err.is_empty());
    let (code, object) = sandbox.run_json(&["up", "--help"]);
    assert_eq!(code, 0);
    assert!(object["help"].as_str().unwrap().contains("--out-of-order"));
}

#[test]
fn no_output_shows_a_password() {
    let sandbox = Sandbox::with_migrations(&[("V1__a.sql", "SELECT 1;\n")]);
    let url = "nosuch://app:hunter2@db/shop";
    let variables = [("DATABASE_URL", url), ("LOCKAGE_PASSWORD", "hunter2")];
    for args in [
        &["up"][..],
        &["up", "--help"],
        &["--url", url, "up"],
        &["up", url],
        &[url],
        &["up", "--urll", url],
        &["up", "--to", url],
        &["up", "--wait", url],
        &["up", "--lock-id", url],
        &["--url", "app:hunter2@db", "status"],
        &["--url", "hunter2", "status"],
        &["--url", "//app:hunter2@db/shop", "status"],
        &[
            "--url",
            "sqlite2:app:hunter2@db/shop",
            "-v",
            "lock",
            "status",
        ],
        &["--config", url, "status"],
        &["--env", url, "status"],
    ] {
        for json in [&[][..], &["--json"]] {
            let args: Vec<&str> = args.iter().chain(json).copied().collect();
            let call = sandbox.run_with(&variables, &args);
            assert!(
                !call.out.contains("hunter2") && !call.err.contains("hunter2"),
                "{call:?}"
            );
            assert!(!call.out.is_empty() || !call.err.is_empty());
        }
    }
}

#[test]
fn output_without_terminal_has_no_colours() {
    let sandbox = Sandbox::new();
    for args in [
        &["status"][..],
        &["up", "--bogus"],
        &["--help"],
        &["backends"],
    ] {
        let call = sandbox.run(args);
        assert!(
            !call.out.contains('\u{1b}') && !call.err.contains('\u{1b}'),
            "{call:?}"
        );
    }
}
