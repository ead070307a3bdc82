//! Properties of all plans.

mod history_notation;

use std::collections::HashSet;

use history_notation::{history, record, set, short, steps};
use lockage_core::plan::{plan_down, plan_up};
use lockage_core::status::{MigrationStatus, compare};
use lockage_core::{History, Kind, MigrationSet, Plan, PlanOptions, State, Step, Version};
use proptest::prelude::*;
use proptest::sample::subsequence;

const FILES: [&str; 18] = [
    "V1", "V2", "V3", "V4", "V5", "V6", "V7", "V8", "B2", "B5", "B6.5", "R:a", "R:b", "U1", "U3",
    "U5", "U7", "U8",
];

fn files() -> impl Strategy<Value = String> {
    subsequence(FILES.to_vec(), 0..=FILES.len()).prop_map(|files| files.join(" "))
}

/// A history that an older, a newer or a defective program may have written.
fn any_history() -> impl Strategy<Value = String> {
    let states = prop::sample::select(vec![
        "applied", "applied", "applied", "applied", "applied", "applied!", "running", "failed!",
        "undone", "odd",
    ]);
    let kinds = prop::sample::select(vec!["V", "V", "V", "V", "B"]);
    let versioned = prop::collection::vec((kinds, states.clone()), 0..10);
    (versioned, prop::option::of(states)).prop_map(|(versioned, repeatable)| {
        let rows = (1..)
            .zip(versioned)
            .map(|(version, (kind, state))| format!("{kind}{version} {state}"));
        let repeatable = repeatable.map(|state| format!("R:a {state}"));
        rows.chain(repeatable).collect::<Vec<_>>().join(", ")
    })
}

fn all_options() -> impl Strategy<Value = PlanOptions> {
    (
        prop::option::of(1..9_u8),
        prop::option::of(0..6_usize),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(to, steps, out_of_order, strict)| {
            history_notation::options(|options| {
                options.to = to.map(|to| to.to_string().parse().unwrap());
                options.steps = steps;
                options.out_of_order = out_of_order;
                options.strict = strict;
            })
        })
}

fn apply(history: &mut History, plan: &Plan) {
    for step in &plan.steps {
        record(history, step, State::Applied);
    }
}

/// The files of two releases. The newer release contains all files of the older one.
fn releases() -> impl Strategy<Value = (MigrationSet, MigrationSet)> {
    subsequence(FILES.to_vec(), 0..=FILES.len()).prop_flat_map(|newer| {
        let older = subsequence(newer.clone(), 0..=newer.len());
        (older, Just(newer))
            .prop_map(|(older, newer)| (set(&older.join(" ")), set(&newer.join(" "))))
    })
}

fn sort_key(step: &Step) -> (bool, Option<&Version>, &str) {
    let migration = &step.migration;
    (
        migration.version().is_none(),
        migration.version(),
        migration.name(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn steps_are_sorted_unique_and_pending(files in files(), rows in any_history(), options in all_options()) {
        let set = set(&files);
        let history = history(&set, &rows);
        let Ok(plan) = plan_up(&set, &history, &options) else { return Ok(()) };
        let pending: Vec<_> = compare(&set, &history)
            .into_iter()
            .filter(|entry| entry.status.is_pending())
            .filter_map(|entry| entry.migration)
            .collect();
        prop_assert!(plan.steps.windows(2).all(|two| sort_key(&two[0]) < sort_key(&two[1])), "{}", steps(&plan));
        prop_assert!(plan.steps.len() <= options.steps.unwrap_or(usize::MAX));
        for step in &plan.steps {
            prop_assert!(step.migration.kind() != Kind::Undo);
            if let Some(to) = &options.to {
                prop_assert!(step.migration.version() <= Some(to));
            } else {
                prop_assert!(pending.iter().any(|migration| short(migration) == short(&step.migration)));
            }
            let applied = history.rows.iter().any(|row| {
                row.state == State::Applied
                    && row.version == step.migration.key()
                    && (row.kind != Kind::Repeatable || row.checksum == step.migration.checksum().to_string())
            });
            prop_assert!(!applied, "{} is applied", short(&step.migration));
        }
    }

    #[test]
    fn executed_plan_leaves_nothing_pending(files in files(), rows in any_history(), options in all_options()) {
        let set = set(&files);
        let mut history = history(&set, &rows);
        let Ok(first) = plan_up(&set, &history, &options) else { return Ok(()) };
        apply(&mut history, &first);
        let second = plan_up(&set, &history, &options).unwrap();
        if options.steps.is_none() {
            prop_assert_eq!(steps(&second), "");
        }
        prop_assert!(first.steps.iter().all(|step| !steps(&second).split(' ').any(|next| next == short(&step.migration))));
        prop_assert_eq!(first.ahead, second.ahead);
    }

    /// If a run dies before, in or after a step, the next run continues with the rest.
    #[test]
    fn interrupted_plan_continues(files in files(), rows in any_history(), at in 0..10_usize, how in 0..3_usize) {
        let set = set(&files);
        let options = PlanOptions::default();
        let mut history = history(&set, &rows);
        let Ok(whole) = plan_up(&set, &history, &options) else { return Ok(()) };
        let at = at.min(whole.steps.len());
        let (done, rest) = whole.steps.split_at(at);
        for step in done {
            record(&mut history, step, State::Applied);
        }
        let half = [None, Some(State::Running), Some(State::Failed)][how].clone();
        if let (Some(step), Some(state)) = (rest.first(), half) {
            record(&mut history, step, state);
        }
        let on = plan_up(&set, &history, &options).unwrap();
        let rest: Vec<_> = rest.iter().map(|step| short(&step.migration)).collect();
        prop_assert_eq!(steps(&on), rest.join(" "));
    }

    #[test]
    fn single_steps_equal_whole_plan(files in files(), rows in any_history(), to in prop::option::of(1..9_u8)) {
        let set = set(&files);
        let by_one = |count| history_notation::options(|options| {
            options.to = to.map(|to| to.to_string().parse().unwrap());
            options.steps = count;
        });
        let mut history = history(&set, &rows);
        let Ok(whole) = plan_up(&set, &history, &by_one(None)) else { return Ok(()) };
        for step in &whole.steps {
            let one = plan_up(&set, &history, &by_one(Some(1))).unwrap();
            prop_assert_eq!(steps(&one), short(&step.migration));
            apply(&mut history, &one);
        }
        prop_assert!(plan_up(&set, &history, &by_one(Some(1))).unwrap().is_empty());
    }

    /// While or after a newer release migrates, an older one finds no pending migration and no error.
    #[test]
    fn older_program_finds_newer_schema_current((older, newer) in releases(), cut in 0..10_usize, how in 0..2_usize) {
        let newest = |set: &MigrationSet| set.iter().filter_map(|m| m.version().cloned()).max();
        let options = PlanOptions::default();
        let mut history = History::default();
        let first = plan_up(&older, &history, &options).unwrap();
        apply(&mut history, &first);
        // New files that are older than the newest applied one are out of order.
        let Ok(steps_of_newer) = plan_up(&newer, &history, &options) else { return Ok(()) };
        for (index, step) in steps_of_newer.steps.iter().enumerate().take(cut) {
            let last = index + 1 == cut;
            record(&mut history, step, if last && how == 1 { State::Running } else { State::Applied });
        }
        let added = steps_of_newer.steps.iter().take(cut).filter_map(|step| step.migration.version());
        if added.into_iter().any(|version| Some(version) <= newest(&older).as_ref()) {
            return Ok(());
        }
        let seen = plan_up(&older, &history, &options).unwrap();
        prop_assert_eq!(steps(&seen), "");
    }

    #[test]
    fn every_file_and_row_gets_exactly_one_status(files in files(), rows in any_history()) {
        let set = set(&files);
        let history = history(&set, &rows);
        let entries = compare(&set, &history);
        let files: HashSet<_> = entries.iter().filter_map(|entry| entry.migration.as_deref()).map(short).collect();
        for migration in set.iter().filter(|m| matches!(m.kind(), Kind::Versioned | Kind::Repeatable)) {
            prop_assert!(files.contains(&short(migration)), "{} has no status", short(migration));
        }
        for row in history.rows.iter().filter(|row| row.state != State::Undone) {
            let seen = entries.iter().filter(|entry| entry.row.as_ref() == Some(row)).count();
            prop_assert_eq!(seen, 1, "{:?}", row);
        }
        prop_assert!(entries.iter().all(|entry| entry.migration.is_some() || entry.row.is_some()));
        prop_assert!(entries.iter().all(|entry| entry.status != MigrationStatus::Diverged || entry.row.is_some()));
    }

    #[test]
    fn row_order_does_not_matter(files in files(), rows in any_history(), options in all_options(), seed in any::<u64>()) {
        let set = set(&files);
        let forth = history(&set, &rows);
        let mut mixed = forth.clone();
        let len = mixed.rows.len().max(1);
        mixed.rows.rotate_left(usize::try_from(seed % len as u64).unwrap());
        mixed.rows.reverse();
        let outcome = |history| match plan_up(&set, history, &options) {
            Ok(plan) => format!("{} {:?}", steps(&plan), plan.ahead),
            Err(error) => history_notation::messages(&error).join("; "),
        };
        prop_assert_eq!(outcome(&forth), outcome(&mixed));
    }

    #[test]
    fn down_undoes_only_applied_migrations(files in files(), rows in any_history(), to in 0..9_u8) {
        let set = set(&files);
        let to: Version = to.to_string().parse().unwrap();
        let down = history_notation::options(|options| options.to = Some(to.clone()));
        let mut history = history(&set, &rows);
        let Ok(back) = plan_down(&set, &history, &down) else { return Ok(()) };
        prop_assert!(back.steps.windows(2).all(|two| two[0].migration.version() > two[1].migration.version()));
        for step in &back.steps {
            prop_assert_eq!(step.migration.kind(), Kind::Undo);
            prop_assert!(step.migration.version() > Some(&to));
            let version = step.migration.key();
            let row = history.rows.iter().find(|row| row.version == version).unwrap();
            prop_assert_eq!((&row.state, row.kind), (&State::Applied, Kind::Versioned));
        }
        apply(&mut history, &back);
        prop_assert_eq!(steps(&plan_down(&set, &history, &down).unwrap()), "");
        let left = compare(&set, &history).into_iter().filter(|entry| {
            entry.version.as_ref() > Some(&to)
                && entry.kind == Kind::Versioned
                && !entry.status.is_pending()
                && entry.status != MigrationStatus::Ignored
        });
        prop_assert_eq!(left.map(|entry| entry.version).collect::<Vec<_>>(), []);
    }
}
