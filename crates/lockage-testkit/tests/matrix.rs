//! The matrix says what it leaves out, and fails where that was required.

use std::process::{Command, ExitCode, Output};

use clap::Parser;
use libtest_mimic::{Failed, Trial};
use lockage_testkit::matrix::{Arguments, Cell, Matrix, Place, Server, Suite};

/// The hidden argument of the child that is a matrix.
const CHILD: &str = "test-matrix";

const SUITES: &[Suite] = &[Suite::new("conformance", "lockage-testkit", "conformance")];

const fn cell(version: &'static str, place: Place) -> Cell {
    Cell {
        engine: "acme",
        version,
        lock: "table",
        place,
        suites: SUITES,
    }
}

/// Nothing that a machine could have.
const fn server(version: &'static str) -> Place {
    Place::Server(Server {
        version,
        variable: "LOCKAGE_TEST_ACME_URL",
        scheme: "acme",
        official: None,
        own: None,
        binaries: None,
    })
}

const CELLS: &[Cell] = &[
    cell("1", server("1")),
    cell("2", server("2")),
    cell("embedded", Place::Embedded),
    cell(
        "programs",
        Place::Programs {
            paths: &["/bin/sh", "/nowhere/acmed"],
            packages: &["acme-server", "acme-client"],
        },
    ),
];

type Test = fn() -> Result<(), Failed>;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(CHILD) {
        let matrix = Matrix::new(CELLS, ("lockage-testkit", "none"));
        let arguments = Arguments::parse_from(std::env::args().skip(1));
        return matrix.run(&arguments).unwrap_or_else(|failure| {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "{failure}");
            ExitCode::from(2)
        });
    }
    let tests: [(&str, Test); 8] = [
        ("what_is_not_there_is_skipped_in_red_with_a_reason", skipped),
        ("a_required_engine_that_is_not_there_is_a_failure", required),
        (
            "a_required_version_that_is_not_there_is_a_failure",
            required_version,
        ),
        ("what_is_left_out_does_not_count_as_there", left_out),
        ("a_url_is_taken_and_its_password_is_not_shown", url),
        ("a_name_that_is_no_engines_is_refused", unknown),
        ("the_plan_is_json", plan),
        ("programs_that_are_not_there_are_told", programs),
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
    // A long reason is broken into several lines of the table.
    let text = String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    Ok((output, text))
}

fn ensure(so: bool, said: &str) -> Result<(), Failed> {
    if so { Ok(()) } else { Err(said.into()) }
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
            text.contains("FAILED") && text.contains("required and not to be had"),
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

fn left_out() -> Result<(), Failed> {
    let (output, text) = matrix(&["--list", "--without", "acme:embedded"], None)?;
    ensure(
        output.status.success() && text.contains("left out by --without"),
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
    // One without a version serves the first, and nobody else.
    let (_, text) = matrix(&["--list"], Some(("LOCKAGE_TEST_ACME_URL", url)))?;
    ensure(text.matches("acme://app@db/shop").count() == 1, &text)?;
    ensure(text.contains("names one server"), &text)
}

fn unknown() -> Result<(), Failed> {
    for list in ["--engine", "--require", "--without"] {
        let (output, text) = matrix(&["--list", list, "acne"], None)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure(output.status.code() == Some(2), &text)?;
        ensure(
            said.contains("no engine acne") && said.contains("acme:2"),
            &said,
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
    let told = "no /nowhere/acmed: install the packages acme-server";
    ensure(text.contains(told), &text)?;
    let (output, _) = matrix(&["--plan", "json", "--version", "programs"], None)?;
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    ensure(
        plan[0]["packages"] == serde_json::json!(["acme-server", "acme-client"]),
        &plan.to_string(),
    )
}
