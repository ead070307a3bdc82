//! Progress on a terminal and in a pipe.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use super::{FOREVER, THREE_MIGRATIONS, sandbox};
use crate::terminal::Terminal;

#[test]
fn terminal_shows_bar_with_migration_and_statement() {
    let sandbox = sandbox(&[
        THREE_MIGRATIONS[0],
        ("V2__forever.sql", &format!("SELECT 1;\n{FOREVER}")),
    ]);
    let mut run = Terminal::start(sandbox.command(&["up"]));
    run.wait_for("applied 1 users (");
    run.wait_for("[2/2] applying 2 forever");
    run.wait_for(" 1/2 ");
    run.wait_for("CREATE TABLE n AS WITH RECURSIVE");
    let mut waiter = Terminal::start(sandbox.command(&["up", "--wait", "forever"]));
    waiter.wait_for("waiting for the lock 4006, held by ");
    waiter.wait_for("at migration 2");
    waiter.signal("-INT");
    let call = waiter.wait();
    assert_eq!((call.code, &*call.out), (130, ""), "{call:?}");
    assert!(call.err.contains("no migration was completed"), "{call:?}");
    run.signal("-TERM");
    let call = run.wait();
    assert_eq!((call.code, &*call.out), (143, ""), "{call:?}");
    assert!(
        call.err.contains("completed before the error: 1"),
        "{call:?}"
    );
}

#[test]
fn pipe_gets_a_line_every_ten_seconds_while_a_statement_runs() {
    let script = format!("CREATE TABLE a (id int);\n{FOREVER}");
    let sandbox = sandbox(&[("V1__forever.sql", &script)]);
    let mut run = sandbox
        .command(&["up"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(run.stderr.take().unwrap());
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let lines = stderr.lines().map_while(Result::ok);
        lines.for_each(|line| drop(sender.send(line)));
    });
    let mut seen = Vec::new();
    let found = loop {
        match lines.recv_timeout(Duration::from_secs(30)) {
            Ok(line) if line.contains(": running for 10.") => break line,
            Ok(line) => seen.push(line),
            Err(error) => panic!("no line about the running step ({error}): {seen:?}"),
        }
    };
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(found.starts_with("[1/1] applying 1 forever"), "{found}");
    assert!(found.ends_with("1 of 2 statements done"), "{found}");
}

#[test]
fn pipe_gets_plain_progress_lines() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    let call = sandbox.run(&["up"]).expect_success();
    assert!(
        call.err
            .starts_with("[1/3] applying 1 users\napplied 1 users ("),
        "{call:?}"
    );
    assert!(
        !call.err.contains('\u{1b}') && !call.err.contains('\r'),
        "{call:?}"
    );
}
