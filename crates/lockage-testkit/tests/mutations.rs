//! Each case fails for a backend that breaks its promise: every flaw is caught, by the cases that are named for it, and every case
//! catches something.

mod reference;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use lockage_testkit::{Ability, Case, Suite, TestError};
use reference::{BACKEND, Flaw, LOCAL_BACKEND, ReferenceFixture};

/// A flaw, the cases that catch it, and a part of what each says.
type Caught = (Flaw, &'static [(&'static str, &'static str)]);

const CAUGHT: &[Caught] = &[
    (
        Flaw::NeverLocks,
        &[
            (
                "lock::exclusive_while_held_and_free_after_release",
                "two sessions hold the lock",
            ),
            (
                "process::one_process_holds_it_at_a_time",
                "two sessions hold the lock",
            ),
        ],
    ),
    (
        Flaw::QueuesForEver,
        &[(
            "lock::exclusive_while_held_and_free_after_release",
            "must not wait: not within",
        )],
    ),
    (
        Flaw::LooksThenTakes,
        &[(
            "lock::many_tasks_hold_it_one_at_a_time",
            "others that hold the lock at the same time",
        )],
    ),
    (
        Flaw::Stacks,
        &[(
            "lock::repeated_acquire_does_not_stack",
            "three repeated tries and one release",
        )],
    ),
    (
        Flaw::LiesOnUnlock,
        &[(
            "lock::unlock_of_what_is_not_held_is_lock_lost",
            "never taken succeeded",
        )],
    ),
    (
        Flaw::HoldsMeansAnybody,
        &[("lock::holds_tells_what_is_so", "that another one holds")],
    ),
    (
        Flaw::HoldsFromMemory,
        &[(
            "loss::a_lock_taken_away_is_noticed_before_the_next_write",
            "that was taken away",
        )],
    ),
    (
        Flaw::ForgetsTheLock,
        &[(
            "lock::exclusive_while_held_and_free_after_release",
            "two sessions hold the lock",
        )],
    ),
    (
        Flaw::LeaksOnDrop,
        &[(
            "lock::a_dropped_session_frees_the_lock",
            "was dropped: not within",
        )],
    ),
    (
        Flaw::LeaksOnClose,
        &[(
            "lock::a_closed_session_frees_the_lock",
            "was closed: not within",
        )],
    ),
    (
        Flaw::LeaksOnError,
        &[
            (
                "migrate::a_failing_migration_then_a_good_run",
                "is free, but a session did not get it",
            ),
            (
                "race::a_failing_migration_fails_for_all",
                "all replicas: not within",
            ),
        ],
    ),
    (
        Flaw::LeaksATry,
        &[(
            "stop::a_try_dropped_at_any_await_leaves_no_lock",
            "after 1 polls: not within",
        )],
    ),
    (
        Flaw::CloseFails,
        &[("lock::close_is_clean", "closing fails")],
    ),
    (
        Flaw::OneLockForAll,
        &[("key::two_ids_are_independent", "`1` is to be independent")],
    ),
    (
        Flaw::ShortIds,
        &[("key::two_ids_are_independent", "is to be independent")],
    ),
    (
        Flaw::NamesAreText,
        &[("key::a_name_is_no_id", "`4006` is to be independent")],
    ),
    (
        Flaw::FoldsCase,
        &[(
            "key::names_count_to_the_last_character",
            "`Orders` is to be",
        )],
    ),
    (
        Flaw::CutsNames,
        &[("key::names_count_to_the_last_character", "xb` is to be")],
    ),
    (
        Flaw::TellsNobody,
        &[
            (
                "holder::told_while_held_and_none_when_free",
                "a held lock has the holder None",
            ),
            (
                "holder::a_waiter_without_patience_is_told_whom_it_waits_for",
                "the holder of a held lock is None",
            ),
            (
                "holder::a_migration_longer_than_the_patience_is_a_timeout_not_an_unlocked_run",
                "the holder of a held lock is None",
            ),
        ],
    ),
    (
        Flaw::TellsAGhost,
        &[(
            "holder::told_while_held_and_none_when_free",
            "that nobody took",
        )],
    ),
    (
        Flaw::WritesUnlocked,
        &[
            (
                "loss::a_lock_taken_away_is_noticed_before_the_next_write",
                "a step without the lock succeeded",
            ),
            (
                "loss::a_lock_given_up_by_a_script_stops_the_run",
                "after the lock was lost",
            ),
        ],
    ),
    (
        Flaw::NeverLooksBack,
        &[(
            "loss::a_lock_given_up_by_the_last_script_is_no_success",
            "lost the lock succeeded",
        )],
    ),
    (
        Flaw::WritesAfterTheEnd,
        &[(
            "loss::a_session_ended_between_steps_writes_nothing",
            "that was ended succeeded",
        )],
    ),
    (
        Flaw::HalfApplies,
        &[
            (
                "migrate::a_failed_migration_leaves_nothing_half_applied",
                "rows of a migration that failed",
            ),
            (
                "loss::a_session_ended_mid_migration_leaves_it_to_the_next_run",
                "the witness",
            ),
            (
                "stop::an_interrupted_run_says_so_and_frees_the_lock",
                "the witness after the stop",
            ),
            (
                "stop::a_run_dropped_at_any_await_leaves_nothing_half_applied",
                "the witness",
            ),
            (
                "process::killed_mid_migration_the_next_run_completes_it",
                "the witness",
            ),
        ],
    ),
    (
        Flaw::GoesOnWhenDropped,
        &[(
            "stop::a_run_dropped_mid_migration_frees_the_lock",
            "that was stopped: not within",
        )],
    ),
    (
        Flaw::IgnoresCancel,
        &[(
            "stop::an_interrupted_run_says_so_and_frees_the_lock",
            "expected one of [Interrupted]",
        )],
    ),
    (
        Flaw::ReadingWrites,
        &[(
            "history::no_table_is_an_empty_history",
            "tables after reading",
        )],
    ),
    (
        Flaw::ReadingNeedsTheLock,
        &[
            (
                "history::readable_while_another_session_holds_the_lock",
                "the history is locked",
            ),
            (
                "race::a_second_run_writes_nothing_and_takes_no_lock",
                "the history is locked",
            ),
        ],
    ),
    (
        Flaw::RemembersTheHistory,
        &[
            (
                "history::readable_while_another_session_holds_the_lock",
                "which looked before",
            ),
            (
                "race::waiters_leave_as_soon_as_another_has_finished",
                "while the lock is held: not within",
            ),
        ],
    ),
    (
        Flaw::MakingEmpties,
        &[(
            "history::making_it_twice_keeps_it",
            "after it was made again",
        )],
    ),
    (
        Flaw::WrongChecksum,
        &[("history::a_row_says_what_was_applied", "the checksum of")],
    ),
    (
        Flaw::CountsNothing,
        &[("history::a_row_says_what_was_applied", "the statements of")],
    ),
    (
        Flaw::RecordingRuns,
        &[(
            "history::a_step_can_be_recorded_and_forgotten",
            "only to be recorded",
        )],
    ),
    (
        Flaw::ForgetsNothing,
        &[(
            "history::a_step_can_be_recorded_and_forgotten",
            "when 1 is forgotten",
        )],
    ),
    (
        Flaw::RepeatsNothing,
        &[(
            "history::a_changed_repeatable_is_applied_again",
            "the checksum of its last run",
        )],
    ),
    (
        Flaw::AppliesTwice,
        &[
            (
                "migrate::applies_each_once_in_order_and_records_it",
                "there is a table one",
            ),
            (
                "race::a_first_run_of_many_applies_each_migration_once",
                "a replica failed",
            ),
            (
                "process::a_first_run_of_many_applies_each_migration_once",
                "a process failed",
            ),
        ],
    ),
    (
        Flaw::RecordsWithoutRunning,
        &[(
            "migrate::applies_each_once_in_order_and_records_it",
            "the first witness",
        )],
    ),
    (
        Flaw::RunsWithoutRecording,
        &[(
            "migrate::applies_each_once_in_order_and_records_it",
            "recorded versions",
        )],
    ),
    (
        Flaw::AppliesWhatIsApplied,
        &[(
            "migrate::a_stale_plan_runs_nothing_twice",
            "that a stale step reports",
        )],
    ),
    (
        Flaw::RefusesCorrections,
        &[(
            "migrate::a_failed_migration_can_be_corrected",
            "was changed",
        )],
    ),
    (
        Flaw::SkipsEmptyScripts,
        &[(
            "migrate::a_script_without_statements_is_recorded",
            "applied versions",
        )],
    ),
    (
        Flaw::UndoneStaysApplied,
        &[
            (
                "undo::runs_the_undo_script_once_and_makes_the_version_pending",
                "after the undo",
            ),
            (
                "undo::goes_down_to_a_version_newest_first",
                "applied versions",
            ),
        ],
    ),
    (
        Flaw::UndoRunsNothing,
        &[(
            "undo::runs_the_undo_script_once_and_makes_the_version_pending",
            "undo scripts that ran",
        )],
    ),
    (
        Flaw::StartsOver,
        &[
            (
                "resume::a_failed_statement_is_where_the_next_run_begins",
                "there is a table seen",
            ),
            (
                "resume::an_interrupted_migration_goes_on_behind_what_is_committed",
                "there is a table seen",
            ),
            (
                "process::killed_outside_a_transaction_the_next_run_resumes",
                "there is a table seen",
            ),
        ],
    ),
    (
        Flaw::LocksOneProcess,
        &[(
            "process::one_process_holds_it_at_a_time",
            "two sessions hold the lock",
        )],
    ),
    (
        Flaw::OutlivesItsProcess,
        &[
            (
                "process::a_killed_holder_frees_the_lock",
                "that was killed: not within",
            ),
            (
                "process::killed_mid_statement_frees_the_lock",
                "its statement stands: not within",
            ),
        ],
    ),
];

fn main() -> ExitCode {
    if let Some(code) = lockage_testkit::run_child_if_requested(BACKEND) {
        return code;
    }
    let mut trials = vec![
        Trial::test("every_case_catches_a_flaw", every_case_catches_a_flaw),
        Trial::test("what_does_not_apply_is_left_out_with_its_reason", left_out),
    ];
    for (flaw, cases) in CAUGHT {
        trials.extend(cases.iter().map(|(case, says)| {
            Trial::test(format!("{flaw:?}/{case}"), || catches(*flaw, case, says))
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn find(name: &str) -> Result<&'static Case, Failed> {
    Suite::cases()
        .find(|case| case.name() == name)
        .ok_or_else(|| format!("no case {name}").into())
}

fn catches(flaw: Flaw, name: &str, says: &str) -> Result<(), Failed> {
    // Where a flaw makes a wait endless, the end of it is what the case is to report.
    let endless = says.ends_with("not within");
    let deadline = Duration::from_secs(if endless { 5 } else { 60 });
    let suite = Suite::new(BACKEND, ReferenceFixture::new(Some(flaw))?).deadline(deadline);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()?;
    let done: Result<(), TestError> = runtime.block_on(suite.run(find(name)?));
    runtime.shutdown_background();
    match done {
        Ok(()) => Err("the case passed".into()),
        Err(failure) if failure.to_string().contains(says) => Ok(()),
        Err(failure) => Err(format!("`{says}` expected, found: {failure}").into()),
    }
}

fn every_case_catches_a_flaw() -> Result<(), Failed> {
    let catching: BTreeSet<&str> = CAUGHT
        .iter()
        .flat_map(|(_, cases)| cases.iter().map(|(case, _)| *case))
        .collect();
    let cases: BTreeSet<&str> = Suite::cases().map(Case::name).collect();
    let idle: Vec<_> = cases.symmetric_difference(&catching).collect();
    if idle.is_empty() {
        Ok(())
    } else {
        Err(format!("cases that catch nothing: {idle:?}").into())
    }
}

fn left_out() -> Result<(), Failed> {
    let local = Suite::new(LOCAL_BACKEND, ReferenceFixture::new(None)?);
    let bare = ReferenceFixture::new(None)?.lacking("the fixture lacks it");
    let bare = Suite::new(BACKEND, bare);
    for case in Suite::cases() {
        let by_backend = case.needs().contains(&Ability::Processes);
        let by_fixture = case
            .needs()
            .iter()
            .any(|need| ![Ability::Processes, Ability::TransactionalDdl].contains(need));
        for (found, expected) in [
            (
                local.unsupported(case),
                by_backend.then_some("its lock lives in one process"),
            ),
            (
                bare.unsupported(case),
                by_fixture.then_some("the fixture lacks it"),
            ),
        ] {
            if found.as_deref() != expected {
                return Err(format!("{case:?}: {found:?}, expected {expected:?}").into());
            }
        }
    }
    Ok(())
}
