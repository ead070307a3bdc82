//! Progress on a terminal and in a pipe.

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
