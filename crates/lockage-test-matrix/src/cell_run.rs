//! Runs the suites of one cell.

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use lockage_testkit::TestError;

use crate::Arguments;
use crate::build::{Kind, Program};
use crate::cell::{Cell, Provisioning, RunCondition, Suite};
use crate::environment::{Environment, Lifetime, small_disk_unavailable};
use crate::outcome::{CaseState, Outcome, SuiteOutcome, Verdict};
use crate::probe::Probe;
use crate::progress::{Progress, print_line};
use crate::resolve::Resolved;
use crate::suite_run;
use crate::summary;

/// Runs cells with the built test programs.
pub(crate) struct CellRunner<'a> {
    pub(crate) arguments: &'a Arguments,
    pub(crate) probe: Probe,
    pub(crate) programs: &'a [Program],
    pub(crate) seed: u64,
    pub(crate) log: tempfile::TempDir,
}

impl CellRunner<'_> {
    /// Runs the suites of `cell` and completes `outcome`. Uses the servers in `started` and starts them if it is empty.
    pub(crate) fn cell(
        &self,
        cell: &Cell,
        resolved: &Resolved,
        mut outcome: Outcome,
        started: &mut Option<(Provisioning, Environment)>,
    ) -> Result<Outcome, TestError> {
        let started_at = Instant::now();
        let progress = Progress::start(&cell.to_string());
        let environment = match started {
            Some((_, environment)) => environment,
            None => {
                progress.stage(&format!("starting: {resolved}"));
                let lifetime = match self.arguments.keep {
                    true => Lifetime::Kept,
                    false => Lifetime::Temporary,
                };
                match Environment::start(resolved, cell, &self.probe, lifetime) {
                    Ok(environment) => &mut started.insert((cell.provisioning, environment)).1,
                    Err(error) => {
                        outcome.verdict = Verdict::Failed;
                        outcome.source = format!("{resolved}: {error}");
                        progress.finish(&format!("FAILED: {}", outcome.source));
                        return Ok(outcome);
                    }
                }
            }
        };
        let trace = self.log.path().join("trace");
        self.suites(cell, resolved, environment, &trace, &progress, &mut outcome)?;
        let text = std::fs::read_to_string(&trace).unwrap_or_default();
        let _ = std::fs::remove_file(&trace);
        outcome.races = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        if self.arguments.keep && !environment.remove_commands.is_empty() {
            print_line(&format!(
                "{cell} is kept at {}; to remove it: {}",
                environment.urls.join(" "),
                environment.remove_commands.join(" && ")
            ));
        }
        self.finish(&mut outcome, started_at);
        progress.finish(&describe(&outcome));
        Ok(outcome)
    }

    fn suites(
        &self,
        cell: &Cell,
        resolved: &Resolved,
        environment: &Environment,
        trace: &Path,
        progress: &Progress,
        outcome: &mut Outcome,
    ) -> Result<(), TestError> {
        let variables = self.variables(cell, environment, trace);
        for suite in cell
            .suites
            .iter()
            .filter(|suite| suite.condition == RunCondition::Always || self.arguments.faults)
        {
            progress.stage(suite.name);
            let result = match suite.condition {
                RunCondition::Always | RunCondition::Faults => {
                    self.suite(suite, &variables, progress)?
                }
                RunCondition::FullDisk => {
                    self.suite_on_small_disk(suite, (cell, resolved), trace, progress)?
                }
            };
            outcome.suites.push(result);
        }
        Ok(())
    }

    /// Runs a suite on a separate server with a small disk.
    fn suite_on_small_disk(
        &self,
        suite: &Suite,
        (cell, resolved): (&Cell, &Resolved),
        trace: &Path,
        progress: &Progress,
    ) -> Result<SuiteOutcome, TestError> {
        if let Some(reason) = small_disk_unavailable(resolved) {
            return Ok(SuiteOutcome::skipped(suite.name, reason));
        }
        match Environment::start(resolved, cell, &self.probe, Lifetime::SmallDisk) {
            Ok(environment) => {
                self.suite(suite, &self.variables(cell, &environment, trace), progress)
            }
            Err(error) => {
                let output = format!("the server on a small disk did not start: {error}");
                Ok(SuiteOutcome::failed(suite.name, output))
            }
        }
    }

    fn suite(
        &self,
        suite: &Suite,
        variables: &[(String, String)],
        progress: &Progress,
    ) -> Result<SuiteOutcome, TestError> {
        let kind = if suite.target.is_empty() {
            Kind::Unit
        } else {
            Kind::Test
        };
        let program = self.programs.iter().find(|program| {
            program.package == suite.package
                && program.kind == kind
                && (suite.target.is_empty() || program.target == suite.target)
        });
        let Some(program) = program else {
            return Err(format!("{} has no test {}", suite.package, suite.target).into());
        };
        let mut variables = variables.to_vec();
        variables.extend(
            suite
                .environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let result = suite_run::run(
            suite.name,
            program,
            &self.pattern(),
            &variables,
            &mut self.log_file()?,
            &mut |suite| progress.case(suite),
        )?;
        print_output(&result);
        Ok(result)
    }

    /// Returns the arguments of a test program that select cases.
    pub(crate) fn pattern(&self) -> Vec<String> {
        self.arguments.case.iter().cloned().collect()
    }

    pub(crate) fn log_file(&self) -> Result<File, TestError> {
        Ok(File::options()
            .create(true)
            .append(true)
            .open(self.log.path().join("log"))?)
    }

    /// Returns the environment variables of the suites.
    fn variables(
        &self,
        cell: &Cell,
        environment: &Environment,
        trace: &Path,
    ) -> Vec<(String, String)> {
        let mut variables = vec![
            ("LOCKAGE_TEST_ENGINE", cell.engine.to_owned()),
            ("LOCKAGE_TEST_REPLICAS", self.arguments.replicas.to_string()),
            ("LOCKAGE_TEST_ROUNDS", self.arguments.rounds.to_string()),
            ("LOCKAGE_TEST_SEED", self.seed.to_string()),
            ("LOCKAGE_TEST_TRACE", trace.display().to_string()),
        ];
        let url_variable = match cell.provisioning {
            Provisioning::Embedded | Provisioning::Programs { .. } => None,
            Provisioning::Server(server)
            | Provisioning::Galera(server)
            | Provisioning::Pooled { server, .. } => Some(server.variable),
        };
        if let (Some(variable), Some(url)) = (url_variable, environment.urls.first()) {
            variables.push((variable, url.clone()));
        }
        if matches!(cell.provisioning, Provisioning::Galera(_)) {
            variables.push(("LOCKAGE_TEST_GALERA_URLS", environment.urls.join(",")));
        }
        if let Some((kill, start)) = &environment.kill_and_start {
            variables.push(("LOCKAGE_TEST_KILL", kill.clone()));
            variables.push(("LOCKAGE_TEST_START", start.clone()));
            variables.push(("LOCKAGE_TEST_KILL_AND_START", format!("{kill} && {start}")));
        }
        if let Some((fill, clear)) = &environment.fill_and_clear_disk {
            variables.push(("LOCKAGE_TEST_FILL", fill.clone()));
            variables.push(("LOCKAGE_TEST_EMPTY", clear.clone()));
        }
        variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// Sets the verdict and the duration. A cell in which no case passed has failed, unless `--case` selected the cases.
    pub(crate) fn finish(&self, outcome: &mut Outcome, started_at: Instant) {
        outcome.seconds = started_at.elapsed().as_secs_f64();
        let none_passed = outcome.count(CaseState::Passed) == 0 && self.arguments.case.is_none();
        let failed = outcome.suites.iter().any(|suite| !suite.passed);
        outcome.verdict = if failed || none_passed {
            Verdict::Failed
        } else {
            Verdict::Passed
        };
        if none_passed && !failed {
            outcome.source = format!("no case ran; {}", outcome.source);
        }
    }
}

/// Prints the output of a failed suite.
pub(crate) fn print_output(suite: &SuiteOutcome) {
    if !suite.passed {
        print_line(&format!("\n---- {}\n{}", suite.name, suite.output));
    }
}

/// Returns a line with the result of a cell.
pub(crate) fn describe(outcome: &Outcome) -> String {
    let word = summary::word(outcome.verdict).0;
    let counts: Vec<String> = [
        (outcome.count(CaseState::Passed), "passed"),
        (outcome.count(CaseState::Failed), "failed"),
        (outcome.count(CaseState::Skipped), "skipped"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, state)| format!("{count} {state}"))
    .collect();
    format!(
        "{word}, {} in {:.1} s; {}",
        counts.join(", "),
        outcome.seconds,
        outcome.source
    )
}
