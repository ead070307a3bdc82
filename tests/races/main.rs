//! Many processes of the real binary migrate one database at the same moment.
//!
//! `LOCKAGE_TEST_ROUNDS` (default 3) and `LOCKAGE_TEST_REPLICAS` (default 16) say how often and how many, `LOCKAGE_TEST_ENGINE` on which
//! engine only, `LOCKAGE_TEST_LOCK_STRATEGY` with which lock. `LOCKAGE_TEST_FAULTS=1` runs the cases that do harm, and
//! only those, `LOCKAGE_TEST_FAULTS=disk` the one that fills a disk.

mod applies;
mod case;
mod engine;
mod faults;
mod neighbours;
mod program;
mod proxy;
mod replicas;
mod stops;
mod way;
mod witness;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use engine::Engine;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each case starts many processes of its own.
    arguments.test_threads = Some(1);
    let only = std::env::var("LOCKAGE_TEST_ENGINE").ok();
    let mut engines = engine::all();
    engines.retain(|engine| only.as_ref().is_none_or(|only| *only == engine.name()));
    let mut trials = Vec::new();
    if let Ok(which) = std::env::var("LOCKAGE_TEST_FAULTS") {
        for engine in &engines {
            for (name, case) in faults::cases(&which) {
                let left_out = faults::does_not_apply(name, &**engine);
                trials.push(trial(Arc::clone(engine), name, *case, left_out));
            }
        }
        engines.clear();
    }
    for engine in &engines {
        for (name, case) in case::CASES {
            let left_out = case::does_not_apply(name, &**engine);
            trials.push(trial(Arc::clone(engine), name, *case, left_out));
        }
        for (name, case) in [WITNESS]
            .iter()
            .chain(stops::CASES)
            .chain(neighbours::CASES)
        {
            let left_out = applies::does_not_apply(name, &**engine);
            trials.push(trial(Arc::clone(engine), name, *case, left_out));
        }
    }
    drop(engines);
    libtest_mimic::run(&arguments, trials).exit_code()
}

const WITNESS: (&str, case::Case) = (
    "holders_take_turns_one_at_a_time",
    witness::holders_take_turns_one_at_a_time,
);

fn trial(engine: Arc<dyn Engine>, name: &str, case: case::Case, left_out: Option<String>) -> Trial {
    let missing = engine.missing().or(left_out);
    let shown = match &missing {
        Some(reason) => format!("{}::{name} (left out: {reason})", engine.name()),
        None => format!("{}::{name}", engine.name()),
    };
    let traced = shown.clone();
    Trial::test(shown, move || {
        replicas::now_runs(&traced);
        case(&*engine).map_err(Into::into)
    })
    .with_ignored_flag(missing.is_some())
}
