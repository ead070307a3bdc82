//! Why a case of single processes says nothing about an engine.

use crate::engine::Engine;

/// Where these are shown: on the engines themselves, with their own lock.
const ENGINES: [&str; 4] = ["sqlite-wal", "postgres", "mariadb", "mysql"];

pub(crate) fn does_not_apply(name: &str, engine: &dyn Engine) -> Option<String> {
    let engines = engine.name();
    // sqlx does not come through a pooler.
    let pooled = std::env::var_os("LOCKAGE_TEST_POOLED").is_some();
    let reason = if pooled || !ENGINES.contains(&&*engines) {
        "shown on the engine itself"
    } else if std::env::var("LOCKAGE_TEST_LOCK_STRATEGY").is_ok_and(|lock| lock == "table") {
        "shown with the engine's own lock"
    } else {
        match name {
            "a_second_signal_ends_the_process_at_once"
            | "without_the_right_lock_break_tells_what_an_administrator_can_do"
                if !engine.has_server() =>
            {
                "there is no server"
            }
            "a_run_waits_for_sqlx" | "sqlx_waits_for_a_run"
                if engine.waits_for_lock().is_none() =>
            {
                "sqlx takes no lock there"
            }
            _ => return None,
        }
    };
    Some(reason.to_owned())
}
