//! Why a case of single processes says nothing about an engine.

use crate::engine::Engine;

pub(crate) fn does_not_apply(name: &str, engine: &dyn Engine) -> Option<String> {
    let pooled = std::env::var_os("LOCKAGE_TEST_POOLED").is_some();
    let with_sqlx = matches!(name, "a_run_waits_for_sqlx" | "sqlx_waits_for_a_run");
    let reason = if engine.refuses() {
        "the lock is refused there"
    } else if engine.name() == "sqlite-delete" {
        "shown with the other mode of the journal"
    } else if with_sqlx && engine.waits_for_lock().is_none() {
        "sqlx takes no lock there"
    } else if with_sqlx && pooled {
        "sqlx does not come through the pooler"
    } else {
        match name {
            "a_second_signal_ends_the_process_at_once"
            | "without_the_right_lock_break_tells_what_an_administrator_can_do"
                if !engine.has_server() =>
            {
                "there is no server"
            }
            "without_the_right_lock_break_tells_what_an_administrator_can_do"
                if engine.locks_by_row() =>
            {
                "whoever may not read the row does not see the holder"
            }
            "without_the_right_lock_break_tells_what_an_administrator_can_do" if pooled => {
                "the pooler knows no other account"
            }
            _ => return None,
        }
    };
    Some(reason.to_owned())
}
