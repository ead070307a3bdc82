//! What a person sees while a run goes on.

use super::{FOREVER, THREE, sandbox};
use crate::terminal::Terminal;

#[test]
fn a_terminal_shows_a_bar_with_the_migration_and_its_statement() {
    let sandbox = sandbox(&[
        THREE[0],
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
    let call = waiter.end();
    assert_eq!((call.code, &*call.out), (130, ""), "{call:?}");
    assert!(
        call.err.contains("nothing was done before that"),
        "{call:?}"
    );
    run.signal("-TERM");
    let call = run.end();
    assert_eq!((call.code, &*call.out), (143, ""), "{call:?}");
    assert!(
        call.err.contains("done before that, and kept: 1"),
        "{call:?}"
    );
}

#[test]
fn elsewhere_there_are_plain_lines() {
    let sandbox = sandbox(&THREE);
    let call = sandbox.run(&["up"]).succeeds();
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
