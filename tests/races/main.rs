//! Many processes of the real binary migrate one database at the same moment.
//!
//! `LOCKAGE_TEST_ROUNDS` (default 3) and `LOCKAGE_TEST_REPLICAS` (default 16) say how often and how many, `LOCKAGE_TEST_ENGINE` on which
//! engine only, `LOCKAGE_TEST_LOCK_STRATEGY` with which lock.

mod case;
mod engine;
mod replicas;

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
    for engine in &engines {
        for (name, case) in case::CASES {
            trials.push(trial(Arc::clone(engine), name, *case));
        }
    }
    drop(engines);
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(engine: Arc<dyn Engine>, name: &str, case: case::Case) -> Trial {
    let missing = engine
        .missing()
        .or_else(|| case::does_not_apply(name, &*engine));
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
