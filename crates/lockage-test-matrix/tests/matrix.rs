//! Tests of the command line: unavailable cells are reported with a reason, and fail the run if they are required.

use std::process::{Command, ExitCode, Output};

use clap::Parser;
use libtest_mimic::{Failed, Trial};
use lockage_test_matrix::{Arguments, Cell, Matrix, Provisioning, Server, Suite};

/// The hidden argument of a child that runs a matrix.
const CHILD: &str = "test-matrix";

const SUITES: &[Suite] = &[Suite::new("conformance", "lockage-acme", "conformance")];

const fn cell(version: &'static str, provisioning: Provisioning) -> Cell {
    Cell {
        engine: "acme",
        version,
        lock: "table",
        provisioning,
        suites: SUITES,
    }
}

/// A server without any source.
const fn server(version: &'static str) -> Provisioning {
    Provisioning::Server(Server {
        version,
        variable: "LOCKAGE_TEST_ACME_URL",
        scheme: "acme",
        published_image: None,
        local_image: None,
        binaries: None,
    })
}

const CELLS: &[Cell] = &[
    cell("1", server("1")),
    cell("2", server("2")),
    cell("embedded", Provisioning::Embedded),
    cell(
        "programs",
        Provisioning::Programs {
            paths: &["/bin/sh", "/nowhere/acmed"],
            packages: &["acme-server", "acme-client"],
        },
    ),
];

type Test = fn() -> Result<(), Failed>;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(CHILD) {
        let matrix = Matrix::new(CELLS, ("lockage-acme", "none"));
        let arguments = Arguments::parse_from(std::env::args().skip(1));
        return matrix.run(&arguments).unwrap_or_else(|error| {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::from(2)
        });
    }
    let tests: [(&str, Test); 8] = [
        ("unavailable_cell_is_skipped_in_red_with_reason", skipped),
        ("unavailable_required_engine_fails", required),
        ("unavailable_required_version_fails", required_version),
        ("excluded_cell_is_not_available", excluded),
        ("url_is_used_and_its_password_is_hidden", url),
        ("unknown_engine_is_rejected", unknown),
        ("plan_is_json", plan),
        ("missing_programs_are_named_with_packages", programs),
    ];
    let trials = tests
        .into_iter()
        .map(|(name, test)| Trial::test(name, test));
    libtest_mimic::run(&libtest_mimic::Arguments::from_args(), trials.collect()).exit_code()
}

fn matrix(arguments: &[&str], url: Option<(&str, &str)>) -> Result<(Output, String), Failed> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(CHILD).args(arguments);
    for name in [
        "LOCKAGE_TEST_ACME_URL",
        "LOCKAGE_TEST_ACME_1_URL",
        "LOCKAGE_TEST_ACME_2_URL",
    ] {
        command.env_remove(name);
    }
    command.envs(url);
    let output = command.output()?;
    // The table breaks a long reason into several lines.
    let text = String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    Ok((output, text))
}

fn ensure(condition: bool, message: &str) -> Result<(), Failed> {
    if condition {
        Ok(())
    } else {
        Err(message.into())
    }
}

fn skipped() -> Result<(), Failed> {
    let (output, text) = matrix(&["--list", "--engine", "acme:2"], None)?;
    ensure(output.status.success(), &text)?;
    let (before, _) = text.split_once("SKIPPED").ok_or(text.clone())?;
    ensure(
        before.ends_with("\u{1b}[38;5;9m\u{1b}[1m "),
        &format!("not red: {text:?}"),
    )?;
    ensure(text.contains("LOCKAGE_TEST_ACME_2_URL"), &text)
}

fn required() -> Result<(), Failed> {
    for require in ["acme", "all"] {
        let (output, text) = matrix(&["--list", "--require", require], None)?;
        ensure(
            output.status.code() == Some(1),
            &format!("{require}: {text}"),
        )?;
        ensure(
            text.contains("FAILED") && text.contains("required but not available"),
            &text,
        )?;
    }
    Ok(())
}

fn required_version() -> Result<(), Failed> {
    let (output, text) = matrix(&["--list", "--require", "acme:1"], None)?;
    ensure(output.status.code() == Some(1), &text)?;
    ensure(
        text.matches("FAILED").count() == 1 && text.matches("SKIPPED").count() == 2,
        &text,
    )?;
    let (output, text) = matrix(&["--list", "--require", "acme:embedded"], None)?;
    ensure(output.status.success(), &text)
}

fn excluded() -> Result<(), Failed> {
    let (output, text) = matrix(&["--list", "--without", "acme:embedded"], None)?;
    ensure(
        output.status.success() && text.contains("excluded by --without"),
        &text,
    )?;
    let arguments = [
        "--list",
        "--without",
        "acme:embedded",
        "--require",
        "acme:embedded",
    ];
    let (output, text) = matrix(&arguments, None)?;
    ensure(output.status.code() == Some(1), &text)
}

fn url() -> Result<(), Failed> {
    let url = "acme://app:hunter2@db/shop";
    let (output, text) = matrix(
        &["--list", "--require", "acme:2"],
        Some(("LOCKAGE_TEST_ACME_2_URL", url)),
    )?;
    ensure(
        output.status.success() && text.contains("acme://app@db/shop") && !text.contains("hunter2"),
        &text,
    )?;
    // A URL variable without a version applies to the first version only.
    let (_, text) = matrix(&["--list"], Some(("LOCKAGE_TEST_ACME_URL", url)))?;
    ensure(text.matches("acme://app@db/shop").count() == 1, &text)?;
    ensure(text.contains("names one server"), &text)
}

fn unknown() -> Result<(), Failed> {
    for list in ["--engine", "--require", "--without"] {
        let (output, text) = matrix(&["--list", list, "acne"], None)?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure(output.status.code() == Some(2), &text)?;
        ensure(
            stderr.contains("unknown engine acne") && stderr.contains("acme:2"),
            &stderr,
        )?;
    }
    Ok(())
}

fn plan() -> Result<(), Failed> {
    let (output, text) = matrix(&["--plan", "json", "--version", "2,embedded"], None)?;
    ensure(output.status.success(), &text)?;
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let names: Vec<_> = plan
        .as_array()
        .into_iter()
        .flatten()
        .map(|cell| &cell["name"])
        .collect();
    ensure(names == ["acme:2", "acme:embedded"], &text)
}

fn programs() -> Result<(), Failed> {
    let (output, text) = matrix(&["--list", "--engine", "acme:programs"], None)?;
    ensure(output.status.success() && text.contains("SKIPPED"), &text)?;
    let reason = "/nowhere/acmed does not exist: install the packages acme-server";
    ensure(text.contains(reason), &text)?;
    let (output, _) = matrix(&["--plan", "json", "--version", "programs"], None)?;
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    ensure(
        plan[0]["packages"] == serde_json::json!(["acme-server", "acme-client"]),
        &plan.to_string(),
    )
}
