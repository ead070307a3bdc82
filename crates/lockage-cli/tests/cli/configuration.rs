use crate::sandbox::Sandbox;

/// What a call tries to reach is told by the error about a scheme that nobody serves.
#[track_caller]
fn reaches(sandbox: &Sandbox, variables: &[(&str, &str)], args: &[&str], scheme: &str) {
    let call = sandbox.run_with(variables, args);
    assert_eq!(call.code, 2, "{call:?}");
    let part = format!("no linked backend serves the scheme `{scheme}`");
    assert!(call.err.contains(&part), "{call:?}");
}

#[test]
fn the_strongest_place_names_the_database() {
    let sandbox = Sandbox::with(&[("V1__a.sql", "SELECT 1;\n")]);
    let file = "url = 'x-file:a'\n[env.prod]\nurl = 'x-prod:a'\n[env.test]\n";
    sandbox.write("lockage.toml", file);
    reaches(&sandbox, &[], &["status"], "x-file");
    reaches(&sandbox, &[], &["status", "--env", "test"], "x-file");
    reaches(&sandbox, &[], &["status", "--env", "prod"], "x-prod");
    reaches(&sandbox, &[("LOCKAGE_ENV", "prod")], &["status"], "x-prod");
    sandbox.write(".env", "DATABASE_URL=x-dotenv:a\n");
    reaches(&sandbox, &[], &["status"], "x-dotenv");
    let variable = [("DATABASE_URL", "x-variable:a")];
    reaches(&sandbox, &variable, &["status"], "x-variable");
    reaches(&sandbox, &[("DATABASE_URL", "")], &["status"], "x-dotenv");
    reaches(
        &sandbox,
        &variable,
        &["status", "--url", "x-flag:a"],
        "x-flag",
    );
    let call = sandbox.run_with(&variable, &["status", "--env", "prod"]);
    assert!(
        call.err
            .contains("warning: DATABASE_URL is stronger than the url of [env.prod]"),
        "{call:?}"
    );
}

#[test]
fn an_unknown_key_is_told_with_file_line_and_column() {
    let sandbox = Sandbox::new();
    sandbox.write("lockage.toml", "# ours\ndirectory = 'sql'\n");
    let error = sandbox.fails(
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
fn mistakes_in_the_file_are_told_with_their_place() {
    let sandbox = Sandbox::new();
    for (text, part, line) in [
        ("url = 'a:b'\nwait = 'soon'\n", "`soon` is not a time", 2),
        ("lock-id = 'x'\n", "invalid type: string", 1),
        (
            "lock-id = 1\nlock-name = 'x'\n",
            "an id or a name, not both",
            2,
        ),
        ("\n\nurl = 'nothing'\n", "no scheme", 3),
        ("lock-strategy = 'luck'\n", "unknown lock strategy `luck`", 1),
        ("statement-timeout = '0s'\n", "`0s` is no time at all", 1),
        ("schema = ''\n", "the name is empty", 1),
        (
            "lock = 7\n",
            "expected a table: `lock-id` and `lock-name`",
            1,
        ),
        ("env = { dev = 7 }\n", "expected a table of settings", 1),
        ("[env.a\n", "unclosed table", 1),
        ("[env.a]\ndir = 's'\nx = 1\n", "unknown field `x`", 3),
    ] {
        sandbox.write("lockage.toml", text);
        let error = sandbox.fails(&["up"], 2, &[part, "lockage.toml"]);
        assert_eq!(error["line"], line, "{error}");
    }
}

#[test]
fn a_file_or_an_environment_that_is_not_there_is_an_error() {
    let sandbox = Sandbox::new();
    sandbox.fails(&["status", "--config", "other.toml"], 2, &["other.toml"]);
    sandbox.fails(
        &["status", "--env", "prod"],
        2,
        &["there is no lockage.toml"],
    );
    sandbox.write("conf/other.toml", "[env.dev]\n[env.prod]\n");
    let args = ["status", "--config", "conf/other.toml", "--env", "staging"];
    let error = sandbox.fails(&args, 2, &["no table [env.staging]"]);
    assert_eq!(error["hint"], "it has dev, prod");
}

#[test]
fn a_folder_in_the_file_is_meant_from_where_the_file_is() {
    let sandbox = Sandbox::new();
    sandbox.write("conf/lockage.toml", "dir = 'sql'\n");
    sandbox.write("conf/sql/V1__a.sql", "SELECT 1;\n");
    let args = ["validate", "--offline", "--config", "conf/lockage.toml"];
    assert!(
        sandbox
            .run(&args)
            .succeeds()
            .out
            .starts_with("1 file checked")
    );
}

#[test]
fn a_broken_line_in_dot_env_is_told_without_its_value() {
    let sandbox = Sandbox::new();
    sandbox.write(".env", "OTHER=a b c\nDATABASE_URL=x://app:hunter2 @db\n");
    let error = sandbox.fails(&["status"], 2, &["DATABASE_URL cannot be read", ".env:2:1"]);
    assert!(!error.to_string().contains("hunter2"));
}

#[test]
fn no_database_says_where_to_name_one() {
    let sandbox = Sandbox::with(&[("V1__a.sql", "SELECT 1;\n")]);
    for command in ["up", "status", "plan", "check", "wait", "down"] {
        let error = sandbox.fails(&[command], 2, &["no database is named", "DATABASE_URL"]);
        assert_eq!(error["kind"], "invalid_config");
    }
    sandbox.fails(&["validate"], 2, &["--offline"]);
    sandbox.fails(&["lock", "status"], 2, &["no database is named"]);
}

#[test]
fn an_unknown_scheme_lists_what_is_linked() {
    let sandbox = Sandbox::with(&[("V1__a.sql", "SELECT 1;\n")]);
    let args = ["up", "--url", "oracle://app:hunter2@db/shop"];
    let error = sandbox.fails(
        &args,
        2,
        &["scheme `oracle`; linked:", "use lockage_postgres as _;"],
    );
    assert_eq!(error["kind"], "unknown_backend");
    let (_, object) = sandbox.json(&args);
    assert_eq!(object["database"], "oracle://app@db/shop");
    assert_eq!(object["lock"], "4006");
}

#[test]
fn a_url_without_a_scheme_is_told_with_where_it_came_from() {
    let sandbox = Sandbox::with(&[("V1__a.sql", "SELECT 1;\n")]);
    let error = sandbox.fails(
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
fn times_are_neither_nothing_nor_without_end() {
    let sandbox = Sandbox::with(&[("V1__a.sql", "SELECT 1;\n")]);
    let forever = "18446744073709551615s";
    for flag in [
        "--connect-timeout",
        "--statement-timeout",
        "--ddl-lock-timeout",
    ] {
        let nothing = sandbox.fails(&["up", flag, "0s"], 2, &[flag, "`0s` is no time at all"]);
        assert!(nothing["hint"].as_str().unwrap().contains("30s"));
        sandbox.fails(&["up", flag, forever], 2, &[flag, "is not a time"]);
    }
    sandbox.fails(&["up", "--wait", forever], 2, &["`forever`"]);
    let call = sandbox.run(&["wait", "--timeout", forever]);
    assert_eq!(call.code, 2, "{call:?}");
}
