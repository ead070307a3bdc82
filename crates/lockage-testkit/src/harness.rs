//! The suite as a test binary with the command line of libtest.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use lockage_core::Backend;

use crate::{Case, Fixture, Suite, format_error_chain, run_child_if_requested};

/// Runs the cases that the command line selects, as the `main` of a `tests/conformance.rs`. Call it first: some cases start this program
/// again as child processes.
pub fn conformance(backend: Backend, fixture: impl Fixture) -> ExitCode {
    Suite::new(backend, fixture).main()
}

impl Suite {
    /// Runs the suite like [`conformance`], with the settings of this value.
    pub fn main(self) -> ExitCode {
        if let Some(code) = run_child_if_requested(self.backend) {
            return code;
        }
        let arguments = Arguments::from_args();
        let suite = Arc::new(self);
        let trials = Self::cases().map(|case| suite.trial(case)).collect();
        libtest_mimic::run(&arguments, trials).exit_code()
    }

    fn trial(self: &Arc<Self>, case: &'static Case) -> Trial {
        let suite = Arc::clone(self);
        let unsupported = suite.unsupported(case);
        let trial = Trial::ignorable_test(case.name(), move || match suite.unsupported(case) {
            Some(reason) => Ok(Completion::ignored_with(reason)),
            None => suite.run_in_runtime(case).map(|()| Completion::Completed),
        });
        match unsupported {
            // The reason is part of the name, because test runners show nothing else about an ignored test.
            Some(reason) => trial
                .with_ignored_flag(true)
                .with_kind(format!("left out: {}", one_line(&reason))),
            None => trial,
        }
    }

    fn run_in_runtime(&self, case: &Case) -> Result<(), Failed> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .enable_all()
            .build()?;
        let done = runtime.block_on(self.run(case));
        // Does not wait for blocked threads of a driver.
        runtime.shutdown_background();
        done.map_err(|error| Failed::from(format_error_chain(&*error)))
    }
}

fn one_line(reason: &str) -> String {
    reason.split_whitespace().collect::<Vec<_>>().join(" ")
}
