use crate::sandbox::Sandbox;

/// Asserts that a call uses a URL with `scheme`, which no backend serves, so that the error shows it.
#[track_caller]
fn assert_uses_scheme(sandbox: &Sandbox, variables: &[(&str, &str)], args: &[&str], scheme: &str) {
    let call = sandbox.run_with(variables, args);
    assert_eq!(call.code, 2, "{call:?}");
    let part = format!("no linked backend serves the scheme `{scheme}`");
    assert!(call.err.contains(&part), "{call:?}");
}

#[test]
fn highest_precedence_source_names_the_database() {
    let sandbox = Sandbox::with_migrations(&[("V1__a.sql", "SELECT 1;\n")]);
    let file = "url = 'x-file:a'\n[env.prod]\nurl = 'x-prod:a'\n[env.test]\n";
    sandbox.write("lockage.toml", file);
    assert_uses_scheme(&sandbox, &[], &["status"], "x-file");
    assert_uses_scheme(&sandbox, &[], &["status", "--env", "test"], "x-file");
    assert_uses_scheme(&sandbox, &[], &["status", "--env", "prod"], "x-prod");
    assert_uses_scheme(&sandbox, &[("LOCKAGE_ENV", "prod")], &["status"], "x-prod");
    sandbox.write(".env", "DATABASE_URL=x-dotenv:a\n");
    assert_uses_scheme(&sandbox, &[], &["status"], "x-dotenv");
    let variable = [("DATABASE_URL", "x-variable:a")];
    assert_uses_scheme(&sandbox, &variable, &["status"], "x-variable");
    assert_uses_scheme(&sandbox, &[("DATABASE_URL", "")], &["status"], "x-dotenv");
    assert_uses_scheme(
        &sandbox,
        &variable,
        &["status", "--url", "x-flag:a"],
        "x-flag",
    );
    let call = sandbox.run_with(&variable, &["status", "--env", "prod"]);
    assert!(
        call.err
            .contains("warning: DATABASE_URL overrides the url of [env.prod]"),
        "{call:?}"
    );
}

#[test]
fn unknown_key_is_reported_with_file_line_and_column() {
    let sandbox = Sandbox::new();
    sandbox.write("lockage.toml", "# comment\ndirectory = 'sql'\n");
    let error = sandbox.expect_failure(
        &["status"],
        2,
        &[
            "unknown field `directory`",
            "lockage.toml:2:1",
            "directory = 'sql'",
        ],
    );
    assert_eq!(error["kind"], "invalid_config");
    assert_eq!(error["file"], "lockage.toml");
    assert_eq!((&error["line"], &error["column"]), (&2.into(), &1.into()));
}

#[test]
fn invalid_values_are_reported_with_their_line() {
    let sandbox = Sandbox::new();
    for (text, part, line) in [
        (
            "url = 'a:b'\nwait = 'soon'\n",
            "`soon` is not a duration",
            2,
        ),
        ("lock-id = 'x'\n", "invalid type: string", 1),
        (
            "lock-id = 1\nlock-name = 'x'\n",
            "an id or a name, not both",
            2,
        ),
        ("\n\nurl = 'nothing'\n", "no scheme", 3),
        (
            "lock-strategy = 'luck'\n",
            "unknown lock strategy `luck`",
            1,
        ),
        ("statement-timeout = '0s'\n", "`0s` is zero", 1),
        ("schema = ''\n", "the name is empty", 1),
        (
            "lock = 7\n",
            "expected a table with `id` or `name` and `align`",
            1,
        ),
        ("env = { dev = 7 }\n", "expected a table of settings", 1),
        ("[env.a\n", "unclosed table", 1),
        ("[env.a]\ndir = 's'\nx = 1\n", "unknown field `x`", 3),
    ] {
        sandbox.write("lockage.toml", text);
        let error = sandbox.expect_failure(&["up"], 2, &[part, "lockage.toml"]);
        assert_eq!(error["line"], line, "{error}");
    }
}

#[test]
fn missing_file_or_environment_is_an_error() {
    let sandbox = Sandbox::new();
    sandbox.expect_failure(&["status", "--config", "other.toml"], 2, &["other.toml"]);
    sandbox.expect_failure(
        &["status", "--env", "prod"],
        2,
        &["no lockage.toml defines the environment `prod`"],
    );
    sandbox.write("conf/other.toml", "[env.dev]\n[env.prod]\n");
    let args = ["status", "--config", "conf/other.toml", "--env", "staging"];
    let error = sandbox.expect_failure(&args, 2, &["no table [env.staging]"]);
    assert_eq!(error["hint"], "use one of: dev, prod");
}

#[test]
fn folder_is_relative_to_the_configuration_file() {
    let sandbox = Sandbox::new();
    sandbox.write("conf/lockage.toml", "dir = 'sql'\n");
    sandbox.write("conf/sql/V1__a.sql", "SELECT 1;\n");
    let args = ["validate", "--offline", "--config", "conf/lockage.toml"];
    assert!(
        sandbox
            .run(&args)
            .expect_success()
            .out
            .starts_with("1 file checked")
    );
}

#[test]
fn invalid_dotenv_line_is_reported_without_its_value() {
    let sandbox = Sandbox::new();
    sandbox.write(".env", "OTHER=a b c\nDATABASE_URL=x://app:hunter2 @db\n");
    let error = sandbox.expect_failure(
        &["status"],
        2,
        &["cannot parse the value of DATABASE_URL", ".env:2:1"],
    );
    assert!(!error.to_string().contains("hunter2"));
}

#[test]
fn missing_url_lists_its_sources() {
    let sandbox = Sandbox::with_migrations(&[("V1__a.sql", "SELECT 1;\n")]);
    for command in ["up", "status", "plan", "check", "wait", "down"] {
        let error =
            sandbox.expect_failure(&[command], 2, &["no database URL is set", "DATABASE_URL"]);
        assert_eq!(error["kind"], "invalid_config");
    }
    sandbox.expect_failure(&["validate"], 2, &["--offline"]);
    sandbox.expect_failure(&["lock", "status"], 2, &["no database URL is set"]);
}

#[test]
fn unknown_scheme_lists_linked_backends() {
    let sandbox = Sandbox::with_migrations(&[("V1__a.sql", "SELECT 1;\n")]);
    let args = ["up", "--url", "oracle://app:hunter2@db/shop"];
    let error = sandbox.expect_failure(
        &args,
        2,
        &["scheme `oracle`; linked:", "use lockage_postgres as _;"],
    );
    assert_eq!(error["kind"], "unknown_backend");
    let (_, object) = sandbox.run_json(&args);
    assert_eq!(object["database"], "oracle://app@db/shop");
    assert_eq!(object["lock"], "4006");
}

#[test]
fn url_without_scheme_is_reported_with_its_source() {
    let sandbox = Sandbox::with_migrations(&[("V1__a.sql", "SELECT 1;\n")]);
    let error = sandbox.expect_failure(
        &["up", "--url", "db/shop"],
        2,
        &["--url: the database URL has no scheme"],
    );
    assert_eq!(error["kind"], "invalid_config");
    let call = sandbox.run_with(&[("DATABASE_URL", "db/shop")], &["up"]);
    assert_eq!(call.code, 2);
    assert!(
        call.err
            .contains("DATABASE_URL: the database URL has no scheme"),
        "{call:?}"
    );
}

#[test]
fn zero_and_overlong_durations_are_rejected() {
    let sandbox = Sandbox::with_migrations(&[("V1__a.sql", "SELECT 1;\n")]);
    let overlong = "18446744073709551615s";
    for flag in [
        "--connect-timeout",
        "--statement-timeout",
        "--ddl-lock-timeout",
    ] {
        let zero = sandbox.expect_failure(&["up", flag, "0s"], 2, &[flag, "`0s` is zero"]);
        assert!(zero["hint"].as_str().unwrap().contains("30s"));
        sandbox.expect_failure(&["up", flag, overlong], 2, &[flag, "is not a duration"]);
    }
    sandbox.expect_failure(&["up", "--wait", overlong], 2, &["`forever`"]);
    let call = sandbox.run(&["wait", "--timeout", overlong]);
    assert_eq!(call.code, 2, "{call:?}");
}
