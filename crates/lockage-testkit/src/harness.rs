//! The suite as a test binary: the command line of libtest, and the child processes of the cases.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use lockage_core::Backend;

use crate::suite::{Case, Suite};
use crate::{Fixture, format_error_chain, run_child_if_requested};

/// The `main` of a `tests/conformance.rs`: runs the cases that the command line asks for. Call it first: some cases start this very
/// program again, as their replicas.
pub fn conformance(backend: Backend, fixture: impl Fixture) -> ExitCode {
    Suite::new(backend, fixture).main()
}

impl Suite {
    /// The same as [`conformance`], with numbers of your own.
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
        let lacks = suite.unsupported(case);
        let trial = Trial::ignorable_test(case.name(), move || match suite.unsupported(case) {
            Some(reason) => Ok(Completion::ignored_with(reason)),
            None => suite.run_alone(case).map(|()| Completion::Completed),
        });
        match lacks {
            // Part of the name, since no runner shows another word about a test that it leaves out.
            Some(reason) => trial
                .with_ignored_flag(true)
                .with_kind(format!("left out: {}", one_line(&reason))),
            None => trial,
        }
    }

    fn run_alone(&self, case: &Case) -> Result<(), Failed> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .enable_all()
            .build()?;
        let done = runtime.block_on(self.run(case));
        // A driver's thread that hangs must not hang the suite.
        runtime.shutdown_background();
        done.map_err(|failure| Failed::from(format_error_chain(&*failure)))
    }
}

fn one_line(reason: &str) -> String {
    reason.split_whitespace().collect::<Vec<_>>().join(" ")
}
