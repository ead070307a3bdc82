//! End-to-end tests: many processes of the real program migrate one database at the same time.
//!
//! Environment variables select and configure the cases:
//!
//! | variable | meaning |
//! |---|---|
//! | `LOCKAGE_TEST_ROUNDS` | repetitions of a case (default 3) |
//! | `LOCKAGE_TEST_REPLICAS` | processes in a race (default 16) |
//! | `LOCKAGE_TEST_ENGINE` | run only this engine |
//! | `LOCKAGE_TEST_LOCK_STRATEGY` | the lock strategy of the processes |
//! | `LOCKAGE_TEST_FAULTS` | run only the cases that inject faults: `disk` for the one that fills a disk, any other value for the rest |
//! | `LOCKAGE_TEST_TRACE` | append what the processes of each race did to this file, for the report of the test matrix |

mod assertions;
mod case;
mod concurrent_runs;
mod engine;
mod exclusivity;
mod faults;
mod foreign_locks;
mod freezable_proxy;
mod interruption;
mod process;
mod proxy;
mod race;
mod race_trace;
mod settings;
mod skip_reason;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use case::Case;
use engine::Engine;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each case starts many processes itself.
    arguments.test_threads = Some(1);
    let selected = std::env::var("LOCKAGE_TEST_ENGINE").ok();
    let mut engines = engine::all();
    engines.retain(|engine| {
        selected
            .as_ref()
            .is_none_or(|selected| *selected == engine.name())
    });
    let faults = std::env::var("LOCKAGE_TEST_FAULTS").ok();
    let trials = engines
        .iter()
        .flat_map(|engine| match &faults {
            Some(selection) => fault_trials(engine, selection),
            None => trials(engine),
        })
        .collect();
    // Each trial holds its engine. The last one stops the engine's server.
    drop(engines);
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn fault_trials(engine: &Arc<dyn Engine>, selection: &str) -> Vec<Trial> {
    faults::cases(selection)
        .iter()
        .map(|case| trial(engine, case, skip_reason::of_fault(case.0, &**engine)))
        .collect()
}

fn trials(engine: &Arc<dyn Engine>) -> Vec<Trial> {
    let concurrent = concurrent_runs::CASES.iter().map(|case| {
        let skip_reason = skip_reason::of_concurrent_run(case.0, &**engine);
        trial(engine, case, skip_reason)
    });
    let others = exclusivity::CASES
        .iter()
        .chain(interruption::CASES)
        .chain(foreign_locks::CASES)
        .map(|case| trial(engine, case, skip_reason::of_case(case.0, &**engine)));
    concurrent.chain(others).collect()
}

fn trial(
    engine: &Arc<dyn Engine>,
    (name, case): &(&str, Case),
    skip_reason: Option<String>,
) -> Trial {
    let skip_reason = engine.unavailable_reason().or(skip_reason);
    // The test matrix parses the reason.
    let title = match &skip_reason {
        Some(reason) => format!("{}::{name} (left out: {reason})", engine.name()),
        None => format!("{}::{name}", engine.name()),
    };
    let (engine, case, trace_title) = (Arc::clone(engine), *case, title.clone());
    Trial::test(title, move || {
        race_trace::set_case(&trace_title);
        case(&*engine).map_err(Into::into)
    })
    .with_ignored_flag(skip_reason.is_some())
}
