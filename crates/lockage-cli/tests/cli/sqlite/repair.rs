use serde_json::{Value, json};

use super::{THREE_MIGRATIONS, assert_states, sandbox, up};
use crate::sandbox::Sandbox;

/// Creates a database with a version that has no file and one whose file was changed.
fn broken() -> Sandbox {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    up(&sandbox);
    sandbox.remove("migrations/V1__users.sql");
    sandbox.write_migration(THREE_MIGRATIONS[1].0, "CREATE TABLE orders (id TEXT);\n");
    sandbox
}

const BROKEN: [(&str, &str); 3] = [("1", "missing"), ("2", "diverged"), ("3", "applied")];
const REPAIRED: [(&str, &str); 2] = [("2", "applied"), ("3", "applied")];

fn column<'a>(rows: &'a Value, name: &str) -> Vec<&'a str> {
    let rows = rows.as_array().unwrap();
    rows.iter().map(|row| row[name].as_str().unwrap()).collect()
}

#[test]
fn repair_without_terminal_lists_repairs_and_fails() {
    let sandbox = broken();
    let words = [
        "1 users (missing): delete its history row, since it has no file",
        "2 orders (diverged): update its checksum to that of the current file",
    ];
    let error = sandbox.expect_failure(
        &["repair"],
        2,
        &[
            "nothing was repaired: confirmation needs a terminal",
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
fn repair_with_yes_updates_checksums_and_deletes_rows() {
    let sandbox = broken();
    let (code, object) = sandbox.run_json(&["repair", "--yes"]);
    assert_eq!((code, &object["outcome"]), (0, &"repaired".into()));
    assert_eq!(column(&object["repaired"], "version"), ["1", "2"]);
    assert_eq!(column(&object["steps"], "action"), ["forget", "accept"]);
    assert_eq!(column(&object["steps"], "state"), ["missing", "diverged"]);
    assert_eq!(object["applied"], json!([]));
    assert_eq!(
        (&object["took_lock"], &object["error"]),
        (&true.into(), &Value::Null)
    );
    assert_states(&sandbox, &REPAIRED);
    assert_eq!(up(&sandbox).out, "sqlite:app.db is up to date\n");
}

#[test]
fn repair_of_intact_history_takes_no_lock() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    up(&sandbox);
    for args in [
        &["repair"][..],
        &["repair", "--yes"],
        &["repair", "--resolve", "applied"],
    ] {
        let call = sandbox.run(args).expect_success();
        assert_eq!(call.out, "nothing to repair in sqlite:app.db\n");
        let (code, object) = sandbox.run_json(args);
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
fn repair_clears_failed_migration() {
    let head = "-- lockage: no-transaction\nCREATE TABLE IF NOT EXISTS a (id int);\n";
    let sandbox = sandbox(&[(
        "V1__a.sql",
        &format!("{head}INSERT INTO nowhere VALUES (1);\n"),
    )]);
    assert_eq!(sandbox.run(&["up"]).code, 1);
    // A committed statement was changed, so no run can continue without a repair.
    sandbox.write_migration("V1__a.sql", head.replace("a (id", "b (id"));
    assert_eq!(sandbox.run(&["up"]).code, 4);
    sandbox.expect_failure(
        &["repair"],
        2,
        &["1 a (failed (", "start again from its first statement"],
    );
    let call = sandbox.run(&["repair", "--yes"]).expect_success();
    assert_eq!(call.out, "1 migration repaired in sqlite:app.db\n");
    assert!(call.err.contains("deleted the history of 1 a"), "{call:?}");
    assert_states(&sandbox, &[("1", "pending")]);
    assert_eq!(up(&sandbox).out, "1 migration applied to sqlite:app.db\n");
}

#[test]
fn repair_deletes_row_with_invalid_version() {
    let sandbox = sandbox(&THREE_MIGRATIONS);
    up(&sandbox);
    let odd = "INSERT INTO lockage_history SELECT 'what?', 'odd', kind, checksum, state, applied_at, applied_by, duration_ms, \
               statements_done, statements_total, run_id, tool_version FROM lockage_history WHERE version = '1'";
    journal(&sandbox).execute_batch(odd).unwrap();
    assert_eq!(sandbox.run(&["up"]).code, 4);
    sandbox.expect_failure(
        &["repair"],
        2,
        &["what? odd (missing): delete its history row"],
    );
    let (code, object) = sandbox.run_json(&["repair", "--yes"]);
    assert_eq!((code, &object["outcome"]), (0, &"repaired".into()));
    assert_eq!(column(&object["steps"], "version"), ["what?"]);
    assert_eq!(up(&sandbox).out, "sqlite:app.db is up to date\n");
}

/// Creates a database as if a run had died during its third statement.
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
fn repair_resolves_statement_in_doubt() {
    for ([flag, answer], action, rows) in [
        (["--resolve", "applied"], "settle_done", [2, 0, 1]),
        (["--resolve", "not-applied"], "settle_again", [2, 0, 0]),
        (["--settle", "done"], "settle_done", [2, 0, 1]),
        (["--settle", "again"], "settle_again", [2, 0, 0]),
    ] {
        let sandbox = in_doubt();
        sandbox.expect_failure(
            &["repair", flag, answer],
            2,
            &[
                "1 a (failed (2/3)): record the running statement as",
                ": INSERT INTO b VALUES (1)",
            ],
        );
        let (code, object) = sandbox.run_json(&["repair", flag, answer, "--yes"]);
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
mod on_a_terminal {
    use super::*;
    use crate::terminal::Terminal;

    /// Starts `repair` and waits for its prompt.
    fn start_and_wait_for_prompt(sandbox: &Sandbox, args: &[&str]) -> Terminal {
        let mut terminal = Terminal::start(sandbox.command(args));
        terminal.wait_for("Repair sqlite:app.db? [y/N] ");
        terminal
    }

    #[test]
    fn yes_confirms_repair() {
        let sandbox = broken();
        let mut terminal = start_and_wait_for_prompt(&sandbox, &["repair", "--json"]);
        terminal.send_keys("y\n");
        let call = terminal.wait().expect_success();
        for part in [
            "diverged",
            "update its checksum",
            "missing",
            "delete its history row",
        ] {
            assert!(call.err.contains(part), "{part} is not in {}", call.err);
        }
        assert_eq!(call.object()["outcome"], "repaired");
        assert_states(&sandbox, &REPAIRED);
    }

    #[test]
    fn no_eof_or_signal_refuses_repair() {
        let sandbox = broken();
        for typed in ["\n", "n\n", "\u{4}"] {
            let mut terminal = start_and_wait_for_prompt(&sandbox, &["repair"]);
            terminal.send_keys(typed);
            let call = terminal.wait();
            assert_eq!((call.code, &*call.out), (1, ""), "{call:?}");
            assert!(call.err.contains("nothing was repaired"), "{call:?}");
        }
        for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
            let terminal = start_and_wait_for_prompt(&sandbox, &["repair"]);
            terminal.signal(signal);
            let call = terminal.wait();
            assert_eq!(call.code, code, "{call:?}");
            assert!(call.err.contains("nothing was repaired"), "{call:?}");
        }
        assert_states(&sandbox, &BROKEN);
    }

    #[test]
    fn repair_aborts_if_history_changed_during_prompt() {
        let sandbox = broken();
        let mut terminal = start_and_wait_for_prompt(&sandbox, &["repair"]);
        sandbox.write_migration(THREE_MIGRATIONS[0].0, "");
        let client = journal(&sandbox);
        let newer = "UPDATE lockage_history SET name = 'people' WHERE version = '1'";
        client.execute_batch(newer).unwrap();
        sandbox.remove("migrations/V1__users.sql");
        terminal.send_keys("y\n");
        let call = terminal.wait();
        assert_eq!(call.code, 4, "{call:?}");
        assert!(
            call.err
                .contains("nothing was repaired: 1 users was missing by another run"),
            "{call:?}"
        );
        assert_states(&sandbox, &BROKEN);
    }

    #[test]
    fn yes_flag_skips_prompt() {
        let sandbox = broken();
        let call = Terminal::start(sandbox.command(&["repair", "--yes"]))
            .wait()
            .expect_success();
        assert!(!call.err.contains("[y/N]"), "{call:?}");
        assert_states(&sandbox, &REPAIRED);
    }
}
