use serde_json::{Value, json};

use super::{THREE, assert_states, sandbox, up};
use crate::sandbox::Sandbox;

/// With a version that has no file, and one whose file was changed.
fn broken() -> Sandbox {
    let sandbox = sandbox(&THREE);
    up(&sandbox);
    sandbox.remove("migrations/V1__users.sql");
    sandbox.migration(THREE[1].0, "CREATE TABLE orders (id TEXT);\n");
    sandbox
}

const BROKEN: [(&str, &str); 3] = [("1", "missing"), ("2", "diverged"), ("3", "applied")];
const MENDED: [(&str, &str); 2] = [("2", "applied"), ("3", "applied")];

fn column<'a>(rows: &'a Value, name: &str) -> Vec<&'a str> {
    let rows = rows.as_array().unwrap();
    rows.iter().map(|row| row[name].as_str().unwrap()).collect()
}

#[test]
fn without_a_terminal_it_says_what_it_would_do_and_refuses() {
    let sandbox = broken();
    let words = [
        "1 users (missing): forget it: it has no file",
        "2 orders (diverged): take the file as it is now for what was applied",
    ];
    let error = sandbox.fails(
        &["repair"],
        2,
        &[
            "nothing was repaired: there is no terminal to ask on",
            words[0],
            words[1],
            "--yes",
        ],
    );
    assert_eq!(error["kind"], "invalid_config");
    assert_eq!(error["context"]["would_repair"], words.join("\n"));
    assert_states(&sandbox, &BROKEN);
}

#[test]
fn with_yes_it_accepts_and_forgets() {
    let sandbox = broken();
    let (code, object) = sandbox.json(&["repair", "--yes"]);
    assert_eq!((code, &object["outcome"]), (0, &"repaired".into()));
    assert_eq!(column(&object["repaired"], "version"), ["1", "2"]);
    assert_eq!(column(&object["steps"], "action"), ["forget", "accept"]);
    assert_eq!(column(&object["steps"], "state"), ["missing", "diverged"]);
    assert_eq!(object["applied"], json!([]));
    assert_eq!(
        (&object["took_lock"], &object["error"]),
        (&true.into(), &Value::Null)
    );
    assert_states(&sandbox, &MENDED);
    assert_eq!(up(&sandbox).out, "sqlite:app.db is up to date\n");
}

#[test]
fn where_nothing_is_broken_nothing_is_asked_or_locked() {
    let sandbox = sandbox(&THREE);
    up(&sandbox);
    for args in [
        &["repair"][..],
        &["repair", "--yes"],
        &["repair", "--settle", "done"],
    ] {
        let call = sandbox.run(args).succeeds();
        assert_eq!(call.out, "nothing to repair in sqlite:app.db\n");
        let (code, object) = sandbox.json(args);
        assert_eq!((code, &object["outcome"]), (0, &"up_to_date".into()));
        assert_eq!(
            (&object["repaired"], &object["steps"]),
            (&json!([]), &json!([]))
        );
        assert_eq!(object["took_lock"], false);
        assert_eq!(object["database"], "sqlite:app.db");
    }
}

#[test]
fn what_failed_half_way_starts_again() {
    let head = "-- lockage: no-transaction\nCREATE TABLE IF NOT EXISTS a (id int);\n";
    let sandbox = sandbox(&[(
        "V1__a.sql",
        &format!("{head}INSERT INTO nowhere VALUES (1);\n"),
    )]);
    assert_eq!(sandbox.run(&["up"]).code, 1);
    // Another text for a statement that is committed: without a repair there is no way on.
    sandbox.migration("V1__a.sql", head.replace("a (id", "b (id"));
    assert_eq!(sandbox.run(&["up"]).code, 4);
    sandbox.fails(
        &["repair"],
        2,
        &["1 a (failed (", "start again from its first statement"],
    );
    let call = sandbox.run(&["repair", "--yes"]).succeeds();
    assert_eq!(call.out, "1 migration repaired in sqlite:app.db\n");
    assert!(call.err.contains("forgot 1 a"), "{call:?}");
    assert_states(&sandbox, &[("1", "pending")]);
    assert_eq!(up(&sandbox).out, "1 migration applied to sqlite:app.db\n");
}

#[test]
fn a_row_whose_version_nobody_can_read_is_forgotten() {
    let sandbox = sandbox(&THREE);
    up(&sandbox);
    let odd = "INSERT INTO lockage_history SELECT 'what?', 'odd', kind, checksum, state, applied_at, applied_by, duration_ms, \
               statements_done, statements_total, run_id, tool_version FROM lockage_history WHERE version = '1'";
    journal(&sandbox).execute_batch(odd).unwrap();
    assert_eq!(sandbox.run(&["up"]).code, 4);
    sandbox.fails(&["repair"], 2, &["what? odd (missing): forget it"]);
    let (code, object) = sandbox.json(&["repair", "--yes"]);
    assert_eq!((code, &object["outcome"]), (0, &"repaired".into()));
    assert_eq!(column(&object["steps"], "version"), ["what?"]);
    assert_eq!(up(&sandbox).out, "sqlite:app.db is up to date\n");
}

/// A database as a run leaves it that died while its third statement was under way.
fn in_doubt() -> Sandbox {
    let sandbox = sandbox(&[(
        "V1__a.sql",
        "-- lockage: no-transaction\nCREATE TABLE a (n);\nINSERT INTO a VALUES (1);\nINSERT INTO b VALUES (1);\n",
    )]);
    assert_eq!(sandbox.run(&["up"]).code, 1);
    journal(&sandbox)
        .execute_batch(
            "INSERT INTO lockage_journal (version, statement, checksum, state, written_at)
             SELECT '1', 2, checksum, 'started', 'now' FROM lockage_journal WHERE statement = 1",
        )
        .unwrap();
    sandbox
}

fn journal(sandbox: &Sandbox) -> rusqlite::Connection {
    rusqlite::Connection::open(sandbox.path("app.db")).unwrap()
}

#[test]
fn a_statement_in_doubt_is_answered_for() {
    for (answer, action, rows) in [
        ("done", "settle_done", [2, 0, 1]),
        ("again", "settle_again", [2, 0, 0]),
    ] {
        let sandbox = in_doubt();
        sandbox.fails(
            &["repair", "--settle", answer],
            2,
            &[
                "1 a (failed (2/3)): the statement under way",
                ": INSERT INTO b VALUES (1)",
            ],
        );
        let (code, object) = sandbox.json(&["repair", "--settle", answer, "--yes"]);
        assert_eq!((code, &object["outcome"]), (0, &"repaired".into()));
        assert_eq!(column(&object["repaired"], "version"), ["1"]);
        assert_eq!(column(&object["steps"], "action"), [action]);
        assert_eq!(
            column(&object["steps"], "statement"),
            ["INSERT INTO b VALUES (1)"]
        );
        let count = |filter: &str| -> u32 {
            let sql = format!("SELECT count(*) FROM lockage_journal WHERE {filter}");
            journal(&sandbox)
                .query_row(&sql, (), |row| row.get(0))
                .unwrap()
        };
        let counted = [
            count("statement < 2 AND state = 'done'"),
            count("state = 'started'"),
            count("statement = 2 AND state = 'done'"),
        ];
        assert_eq!(counted, rows, "{answer}");
    }
}

#[cfg(unix)]
mod at_a_terminal {
    use super::*;
    use crate::terminal::Terminal;

    fn asked(sandbox: &Sandbox, args: &[&str]) -> Terminal {
        let mut terminal = Terminal::start(sandbox.command(args));
        terminal.wait_for("Repair sqlite:app.db? [y/N] ");
        terminal
    }

    #[test]
    fn a_yes_repairs() {
        let sandbox = broken();
        let mut terminal = asked(&sandbox, &["repair", "--json"]);
        terminal.type_in("y\n");
        let call = terminal.end().succeeds();
        for part in ["diverged", "take the file", "missing", "forget it"] {
            assert!(call.err.contains(part), "{part} is not in {}", call.err);
        }
        assert_eq!(call.object()["outcome"], "repaired");
        assert_states(&sandbox, &MENDED);
    }

    #[test]
    fn a_no_an_end_of_input_or_a_signal_repairs_nothing() {
        let sandbox = broken();
        for typed in ["\n", "n\n", "\u{4}"] {
            let mut terminal = asked(&sandbox, &["repair"]);
            terminal.type_in(typed);
            let call = terminal.end();
            assert_eq!((call.code, &*call.out), (130, ""), "{call:?}");
            assert!(call.err.contains("nothing was repaired"), "{call:?}");
        }
        for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
            let terminal = asked(&sandbox, &["repair"]);
            terminal.signal(signal);
            let call = terminal.end();
            assert_eq!(call.code, code, "{call:?}");
            assert!(call.err.contains("nothing was repaired"), "{call:?}");
        }
        assert_states(&sandbox, &BROKEN);
    }

    #[test]
    fn what_changed_while_it_was_asked_is_told_and_nothing_is_done() {
        let sandbox = broken();
        let mut terminal = asked(&sandbox, &["repair"]);
        sandbox.migration(THREE[0].0, "");
        let client = journal(&sandbox);
        let newer = "UPDATE lockage_history SET name = 'people' WHERE version = '1'";
        client.execute_batch(newer).unwrap();
        sandbox.remove("migrations/V1__users.sql");
        terminal.type_in("y\n");
        let call = terminal.end();
        assert_eq!(call.code, 4, "{call:?}");
        assert!(
            call.err
                .contains("nothing was repaired: 1 users was missing by another run"),
            "{call:?}"
        );
        assert_states(&sandbox, &BROKEN);
    }

    #[test]
    fn with_yes_nobody_is_asked() {
        let sandbox = broken();
        let call = Terminal::start(sandbox.command(&["repair", "--yes"]))
            .end()
            .succeeds();
        assert!(!call.err.contains("[y/N]"), "{call:?}");
        assert_states(&sandbox, &MENDED);
    }
}
