//! Mutation tests of the suite: each fault of a backend is detected by the named cases, and each case detects a fault.

mod reference;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use lockage_testkit::{Ability, Case, Suite, TestError};
use reference::{BACKEND, Fault, LOCAL_BACKEND, ReferenceFixture};

/// A fault and the cases that detect it, each with a part of its error.
type Mutation = (Fault, &'static [(&'static str, &'static str)]);

const MUTATIONS: &[Mutation] = &[
    (
        Fault::GrantsEveryLock,
        &[
            (
                "lock::exclusive_while_held_and_free_after_release",
                "two sessions hold the lock",
            ),
            (
                "process::processes_never_share_lock",
                "two sessions hold the lock",
            ),
        ],
    ),
    (
        Fault::BlocksInServer,
        &[(
            "lock::exclusive_while_held_and_free_after_release",
            "must not wait: not within",
        )],
    ),
    (
        Fault::ChecksThenActs,
        &[(
            "lock::concurrent_tasks_never_share_lock",
            "other holders at the same time",
        )],
    ),
    (
        Fault::ReentrantLock,
        &[(
            "lock::repeated_acquire_needs_one_release",
            "four tries and one release",
        )],
    ),
    (
        Fault::UnlockReportsSuccess,
        &[(
            "lock::unlock_without_lock_returns_lock_lost",
            "never acquired succeeded",
        )],
    ),
    (
        Fault::HoldsReportsAnyHolder,
        &[(
            "lock::holds_reports_only_own_lock",
            "that another session holds",
        )],
    ),
    (
        Fault::CachesHolds,
        &[(
            "loss::stolen_lock_is_detected_before_next_write",
            "for a stolen lock",
        )],
    ),
    (
        Fault::HoldsReleasesLock,
        &[(
            "lock::exclusive_while_held_and_free_after_release",
            "two sessions hold the lock",
        )],
    ),
    (
        Fault::DropLeaksLock,
        &[(
            "lock::dropped_session_releases_lock",
            "a dropped session: not within",
        )],
    ),
    (
        Fault::CloseLeaksLock,
        &[(
            "lock::closed_session_releases_lock",
            "a closed session: not within",
        )],
    ),
    (
        Fault::ErrorLeaksLock,
        &[
            (
                "migrate::failed_migration_next_run_succeeds",
                "is free, but a session could not acquire it",
            ),
            (
                "race::failing_migration_fails_every_run",
                "all runs: not within",
            ),
        ],
    ),
    (
        Fault::LeaksDroppedTry,
        &[(
            "stop::try_lock_dropped_at_any_await_leaves_no_lock",
            "after 1 polls: not within",
        )],
    ),
    (
        Fault::CloseFails,
        &[("lock::close_leaves_no_tables", "closing fails")],
    ),
    (
        Fault::IgnoresKey,
        &[("key::ids_are_independent", "`1` must be independent")],
    ),
    (
        Fault::TruncatesIds,
        &[("key::ids_are_independent", "must be independent")],
    ),
    (
        Fault::ConfusesNamesAndIds,
        &[(
            "key::names_and_ids_are_independent",
            "`4006` must be independent",
        )],
    ),
    (
        Fault::FoldsNameCase,
        &[("key::similar_names_are_independent", "`Orders` must be")],
    ),
    (
        Fault::TruncatesNames,
        &[("key::similar_names_are_independent", "xb` must be")],
    ),
    (
        Fault::ReportsNoHolder,
        &[
            (
                "holder::held_lock_reports_holder_and_free_lock_none",
                "the holder of a held lock is None",
            ),
            (
                "holder::lock_timeout_names_holder_and_setting",
                "the holder of a held lock is None",
            ),
            (
                "holder::waiter_times_out_during_long_migration",
                "the holder of a held lock is None",
            ),
        ],
    ),
    (
        Fault::ReportsStaleHolder,
        &[(
            "holder::held_lock_reports_holder_and_free_lock_none",
            "the holder of a free lock",
        )],
    ),
    (
        Fault::WritesWithoutLock,
        &[
            (
                "loss::stolen_lock_is_detected_before_next_write",
                "a step without the lock succeeded",
            ),
            (
                "loss::lock_released_by_script_stops_run",
                "after the lock was lost",
            ),
        ],
    ),
    (
        Fault::DoesNotRecheckLock,
        &[(
            "loss::lock_released_by_last_script_fails_run",
            "lost the lock succeeded",
        )],
    ),
    (
        Fault::WritesAfterTermination,
        &[(
            "loss::session_terminated_between_steps_writes_nothing",
            "a terminated session succeeded",
        )],
    ),
    (
        Fault::CommitsEachStatement,
        &[
            (
                "migrate::failed_migration_is_rolled_back",
                "rows of a migration that failed",
            ),
            (
                "loss::session_terminated_mid_migration_next_run_completes",
                "the inserted rows",
            ),
            (
                "stop::interrupted_run_fails_and_releases_lock",
                "the inserted rows after the stop",
            ),
            (
                "limit::ddl_lock_timeout_rolls_back_and_retries",
                "the rows of the first table",
            ),
            (
                "limit::statement_timeout_cancels_a_statement",
                "the inserted rows after the stop",
            ),
            (
                "stop::run_dropped_at_any_await_leaves_nothing_half_applied",
                "the inserted rows",
            ),
            (
                "process::killed_mid_migration_next_run_completes",
                "the inserted rows",
            ),
        ],
    ),
    (
        Fault::ContinuesWhenDropped,
        &[(
            "stop::run_dropped_mid_migration_releases_lock",
            "the stopped run: not within",
        )],
    ),
    (
        Fault::IgnoresCancel,
        &[(
            "stop::interrupted_run_fails_and_releases_lock",
            "expected one of [Interrupted]",
        )],
    ),
    (
        Fault::IgnoresStatementTimeout,
        &[(
            "limit::statement_timeout_cancels_a_statement",
            "a run with a statement timeout: not within",
        )],
    ),
    (
        Fault::IgnoresDdlLockTimeout,
        &[(
            "limit::ddl_lock_timeout_rolls_back_and_retries",
            "whose table is locked: not within",
        )],
    ),
    (
        Fault::DoesNotRetryLockTimeout,
        &[(
            "limit::ddl_lock_timeout_rolls_back_and_retries",
            "the table busy is locked",
        )],
    ),
    (
        Fault::KeepsTemporaryTables,
        &[(
            "session::temporary_table_is_dropped_before_next_migration",
            "the temporary table exists",
        )],
    ),
    (
        Fault::KeepsSettings,
        &[(
            "session::setting_is_restored_before_next_migration",
            "found Some([1, 1, 1, 1])",
        )],
    ),
    (
        Fault::ReadCreatesHistory,
        &[(
            "history::missing_table_is_empty_history",
            "tables after reading",
        )],
    ),
    (
        Fault::ReadNeedsLock,
        &[
            (
                "history::history_is_readable_while_lock_is_held",
                "the history is locked",
            ),
            (
                "race::second_run_writes_nothing_and_takes_no_lock",
                "the history is locked",
            ),
        ],
    ),
    (
        Fault::CachesHistory,
        &[
            (
                "history::history_is_readable_while_lock_is_held",
                "that an earlier session reads",
            ),
            (
                "race::waiters_exit_when_schema_is_current",
                "while the lock is held: not within",
            ),
        ],
    ),
    (
        Fault::EnsureHistoryTruncates,
        &[(
            "history::ensure_history_twice_keeps_rows",
            "after the second ensure_history()",
        )],
    ),
    (
        Fault::RecordsWrongChecksum,
        &[("history::row_contains_applied_migration", "the checksum of")],
    ),
    (
        Fault::RecordsNoStatementCounts,
        &[(
            "history::row_contains_applied_migration",
            "total statements of",
        )],
    ),
    (
        Fault::MarkAppliedRunsScript,
        &[(
            "history::mark_applied_and_delete_row_change_only_history",
            "only marked as applied",
        )],
    ),
    (
        Fault::DeleteRowDoesNothing,
        &[(
            "history::mark_applied_and_delete_row_change_only_history",
            "after the row of 1 was deleted",
        )],
    ),
    (
        Fault::IgnoresChangedRepeatable,
        &[(
            "history::changed_repeatable_is_applied_again",
            "the checksum of its last run",
        )],
    ),
    (
        Fault::RunsScriptTwice,
        &[
            (
                "migrate::migrations_are_applied_once_in_order_and_recorded",
                "the table one exists",
            ),
            (
                "race::concurrent_first_runs_apply_each_migration_once",
                "a run failed",
            ),
            (
                "process::concurrent_first_runs_apply_each_migration_once",
                "a process failed",
            ),
        ],
    ),
    (
        Fault::RecordsWithoutRunning,
        &[(
            "migrate::migrations_are_applied_once_in_order_and_recorded",
            "the rows of the first table",
        )],
    ),
    (
        Fault::RunsWithoutRecording,
        &[(
            "migrate::migrations_are_applied_once_in_order_and_recorded",
            "recorded versions",
        )],
    ),
    (
        Fault::ReappliesAppliedMigration,
        &[(
            "migrate::stale_plan_applies_nothing_twice",
            "that a stale step reports",
        )],
    ),
    (
        Fault::RejectsCorrectedMigration,
        &[("migrate::failed_migration_can_be_corrected", "was changed")],
    ),
    (
        Fault::SkipsEmptyScripts,
        &[("migrate::empty_script_is_recorded", "applied versions")],
    ),
    (
        Fault::UndoKeepsAppliedState,
        &[
            (
                "undo::undo_runs_script_once_and_version_is_pending",
                "after the undo",
            ),
            (
                "undo::down_to_version_undoes_newest_first",
                "applied versions",
            ),
        ],
    ),
    (
        Fault::UndoSkipsScript,
        &[(
            "undo::undo_runs_script_once_and_version_is_pending",
            "rows of undo scripts",
        )],
    ),
    (
        Fault::RestartsMigration,
        &[
            (
                "resume::next_run_resumes_at_failed_statement",
                "the table seen exists",
            ),
            (
                "resume::interrupted_migration_resumes_after_committed_statements",
                "the table seen exists",
            ),
            (
                "process::killed_outside_transaction_next_run_resumes",
                "the table seen exists",
            ),
        ],
    ),
    (
        Fault::ProcessLocalLock,
        &[(
            "process::processes_never_share_lock",
            "two sessions hold the lock",
        )],
    ),
    (
        Fault::LockSurvivesProcess,
        &[
            (
                "process::killed_holder_releases_lock",
                "a killed process: not within",
            ),
            (
                "process::killed_mid_statement_releases_lock",
                "statement is blocked: not within",
            ),
        ],
    ),
];

fn main() -> ExitCode {
    if let Some(code) = lockage_testkit::run_child_if_requested(BACKEND) {
        return code;
    }
    let mut trials = vec![
        Trial::test("every_case_detects_a_fault", every_case_detects_a_fault),
        Trial::test(
            "unsupported_case_is_skipped_with_reason",
            unsupported_case_is_skipped_with_reason,
        ),
    ];
    for (fault, cases) in MUTATIONS {
        trials.extend(cases.iter().map(|(case, error)| {
            Trial::test(format!("{fault:?}/{case}"), || detects(*fault, case, error))
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn find(name: &str) -> Result<&'static Case, Failed> {
    Suite::cases()
        .find(|case| case.name() == name)
        .ok_or_else(|| format!("the case {name} does not exist").into())
}

/// Checks that a case fails for a backend with a fault, with an error that contains `expected`.
fn detects(fault: Fault, name: &str, expected: &str) -> Result<(), Failed> {
    // With some faults a wait never ends, and the case reports the timeout.
    let waits_forever = expected.ends_with("not within");
    let timeout = Duration::from_secs(if waits_forever { 5 } else { 60 });
    let suite = Suite::new(BACKEND, ReferenceFixture::new(Some(fault))?).timeout(timeout);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()?;
    let done: Result<(), TestError> = runtime.block_on(suite.run(find(name)?));
    runtime.shutdown_background();
    match done {
        Ok(()) => Err("the case passed".into()),
        Err(error) if error.to_string().contains(expected) => Ok(()),
        Err(error) => Err(format!("expected `{expected}`, found: {error}").into()),
    }
}

fn every_case_detects_a_fault() -> Result<(), Failed> {
    let detecting: BTreeSet<&str> = MUTATIONS
        .iter()
        .flat_map(|(_, cases)| cases.iter().map(|(case, _)| *case))
        .collect();
    let cases: BTreeSet<&str> = Suite::cases().map(Case::name).collect();
    let difference: Vec<_> = cases.symmetric_difference(&detecting).collect();
    if difference.is_empty() {
        Ok(())
    } else {
        Err(format!("cases without a fault, or unknown cases: {difference:?}").into())
    }
}

fn unsupported_case_is_skipped_with_reason() -> Result<(), Failed> {
    let local = Suite::new(LOCAL_BACKEND, ReferenceFixture::new(None)?);
    let minimal = ReferenceFixture::new(None)?.without_abilities("not supported by the fixture");
    let minimal = Suite::new(BACKEND, minimal);
    for case in Suite::cases() {
        let needs_processes = case.needs().contains(&Ability::Processes);
        let needs_fixture = case
            .needs()
            .iter()
            .any(|ability| ![Ability::Processes, Ability::TransactionalDdl].contains(ability));
        for (found, expected) in [
            (
                local.unsupported(case),
                needs_processes.then_some("its lock excludes only within one process"),
            ),
            (
                minimal.unsupported(case),
                needs_fixture.then_some("not supported by the fixture"),
            ),
        ] {
            if found.as_deref() != expected {
                return Err(format!("{case:?}: {found:?}, expected {expected:?}").into());
            }
        }
    }
    Ok(())
}
