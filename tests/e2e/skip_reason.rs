//! The reasons why a case does not apply to an engine.

use std::sync::LazyLock;

use lockage_test_matrix::engine::NetworkNamespace;

use crate::engine::Engine;

const REJECTED: &str = "the engine rejects every run";
const NO_SERVER: &str = "the engine has no server";

/// The reason why no host can lose its network on this machine.
static NAMESPACE_UNAVAILABLE: LazyLock<Option<String>> =
    LazyLock::new(NetworkNamespace::unavailable_reason);

/// For the cases of `concurrent_runs`.
pub(crate) fn of_concurrent_run(name: &str, engine: &dyn Engine) -> Option<String> {
    let expects_rejection = name == "transaction_pooler_is_rejected_before_writing";
    let reason = match (expects_rejection, engine.rejects_runs()) {
        (true, false) => "the engine accepts runs",
        (false, true) => REJECTED,
        _ if name == "concurrent_index_build_completes_while_replicas_wait"
            && engine.concurrent_index_sql().is_none() =>
        {
            "the engine has no CREATE INDEX CONCURRENTLY"
        }
        _ => return None,
    };
    Some(reason.to_owned())
}

/// For the cases of `exclusivity`, `interruption` and `foreign_locks`.
pub(crate) fn of_case(name: &str, engine: &dyn Engine) -> Option<String> {
    let pooled = std::env::var_os("LOCKAGE_TEST_POOLED").is_some();
    let needs_sqlx_lock = matches!(name, "run_waits_for_sqlx" | "sqlx_waits_for_run");
    let needs_privileges = name == "lock_break_without_privilege_prints_admin_statement";
    let needs_server = needs_privileges || name == "second_signal_exits_immediately";
    let reason = if engine.rejects_runs() {
        REJECTED
    } else if engine.name() == "sqlite-delete" {
        "covered with the other journal mode"
    } else if needs_sqlx_lock && engine.lock_waiters_sql().is_none() {
        "sqlx takes no lock on this engine"
    } else if needs_sqlx_lock && pooled {
        "sqlx does not work through the pooler"
    } else if needs_server && !engine.has_server() {
        NO_SERVER
    } else if needs_privileges && engine.uses_row_lock() {
        "an account that may not read the lock's row does not see the holder"
    } else if needs_privileges && pooled {
        "the pooler does not know the other account"
    } else {
        return None;
    };
    Some(reason.to_owned())
}

/// For the cases of `faults`.
pub(crate) fn of_fault(name: &str, engine: &dyn Engine) -> Option<String> {
    let is_unset = |variable: &str| std::env::var(variable).is_err();
    let reason = if engine.rejects_runs() {
        REJECTED
    } else if name.starts_with("replicas") || name.starts_with("mixed_faults") {
        return None;
    } else if !engine.has_server() {
        NO_SERVER
    } else if name.starts_with("server_killed") && is_unset("LOCKAGE_TEST_KILL") {
        "LOCKAGE_TEST_KILL does not hold the command that kills the server"
    } else if name.starts_with("server_disk_full") && is_unset("LOCKAGE_TEST_FILL") {
        "LOCKAGE_TEST_FILL does not hold the command that fills the server's disk"
    } else if let (true, Some(reason)) = (
        name.starts_with("holder_host_lost"),
        &*NAMESPACE_UNAVAILABLE,
    ) {
        reason
    } else {
        return None;
    };
    Some(reason.to_owned())
}
