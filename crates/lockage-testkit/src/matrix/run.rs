//! One run of the matrix.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::process::ExitCode;
use std::time::Instant;

use super::build::{Kind, Program, build, cargo};
use super::cell::{Cell, Place, Suite, When};
use super::docker::{Docker, remove_all};
use super::junit::junit;
use super::origin::{Found, Machine};
use super::outcome::{CaseState, Outcome, SuiteOutcome, Verdict};
use super::probe::Probe;
use super::progress::{Progress, say};
use super::stand::{Manner, Stand, no_small_disk};
use super::suite_run::{self, kill_running};
use super::{Arguments, Matrix, plan, report, summary};
use crate::Failure;

/// The name of what needs no engine.
const WORKSPACE: &str = "workspace";

/// Exit code after Ctrl-C, as shells have it.
const INTERRUPTED: i32 = 130;

pub(super) fn run(matrix: &Matrix, arguments: &Arguments) -> Result<ExitCode, Failure> {
    names_are_known(matrix, arguments)?;
    let cells: Vec<&Cell> = matrix
        .cells
        .iter()
        .filter(|cell| arguments.chosen(|name| cell.is_meant_by(name), cell.version))
        .collect();
    if arguments.plan.is_some() {
        say(&plan::json(&cells)?);
        return Ok(ExitCode::SUCCESS);
    }
    let begun = Instant::now();
    let docker = match cells.iter().all(|cell| !cell.has_server()) {
        true => Err("no container is needed".into()),
        false => Docker::find(),
    };
    if let Ok(docker) = docker
        && !arguments.list
    {
        let swept = docker.sweep()?;
        if swept > 0 {
            say(&format!(
                "{swept} containers of an earlier run that was killed are removed"
            ));
        }
    }
    let machine = Machine {
        docker,
        environment: &environment,
        pulls: !arguments.list,
    };
    let found: Vec<(&Cell, Result<Found, String>)> = cells
        .iter()
        .map(|cell| {
            let left_out = arguments.without.iter().any(|name| cell.is_meant_by(name));
            let found = match left_out {
                true => Err("left out by --without".to_owned()),
                false => machine.find(cell, is_first(matrix.cells, cell)),
            };
            (*cell, found)
        })
        .collect();
    let workspace = matrix.others
        && !arguments.without.iter().any(|name| name == WORKSPACE)
        && arguments.chosen(|name| name == WORKSPACE, "");
    let outcomes = match arguments.list {
        true => found
            .iter()
            .map(|(cell, found)| at_rest(cell, found, arguments))
            .collect(),
        false => all(matrix, arguments, &found, workspace)?,
    };
    say(&format!("\n{}", summary::table(&outcomes)));
    write_files(arguments, &outcomes, begun.elapsed().as_secs_f64())?;
    let failed = outcomes
        .iter()
        .any(|outcome| outcome.verdict == Verdict::Failed);
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

#[expect(clippy::disallowed_methods, reason = "this is the main of a program")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn names_are_known(matrix: &Matrix, arguments: &Arguments) -> Result<(), Failure> {
    let lists = [&arguments.engine, &arguments.without, &arguments.require];
    for name in lists.into_iter().flatten() {
        let known = name == WORKSPACE && matrix.others
            || matrix.cells.iter().any(|cell| cell.is_meant_by(name));
        if !known {
            let names: BTreeSet<String> = matrix
                .cells
                .iter()
                .map(|cell| format!("{}:{}", cell.engine, cell.version))
                .collect();
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            return Err(format!("there is no engine {name}; there are {names}").into());
        }
    }
    Ok(())
}

/// Whether a cell is of its engine's first version in the table.
fn is_first(cells: &[Cell], cell: &Cell) -> bool {
    cells
        .iter()
        .find(|other| other.engine == cell.engine)
        .is_some_and(|first| first.version == cell.version)
}

/// A cell in which nothing runs.
fn at_rest(cell: &Cell, found: &Result<Found, String>, arguments: &Arguments) -> Outcome {
    let required = arguments.require.iter().any(|name| cell.is_meant_by(name));
    let (verdict, source) = match found {
        Ok(found) => (Verdict::There, found.to_string()),
        Err(reason) if required => (
            Verdict::Failed,
            format!("required and not to be had: {reason}"),
        ),
        Err(reason) => (Verdict::Skipped, reason.clone()),
    };
    Outcome {
        engine: cell.engine.to_owned(),
        version: cell.version.to_owned(),
        lock: cell.lock.to_owned(),
        verdict,
        source,
        seconds: 0.0,
        suites: Vec::new(),
        races: Vec::new(),
    }
}

fn all(
    matrix: &Matrix,
    arguments: &Arguments,
    found: &[(&Cell, Result<Found, String>)],
    workspace: bool,
) -> Result<Vec<Outcome>, Failure> {
    if !arguments.keep {
        // A second handler is refused: then the first, which does the same, stands.
        let _ = ctrlc::set_handler(|| {
            kill_running();
            remove_all();
            std::process::exit(INTERRUPTED);
        });
    }
    let there: Vec<&Cell> = found
        .iter()
        .filter_map(|(cell, found)| found.is_ok().then_some(*cell))
        .collect();
    let mut programs = Vec::new();
    for (manifest, targets) in to_build(matrix, arguments, &there, workspace) {
        programs.extend(build(&matrix.root, manifest, targets.as_ref())?);
    }
    let mut under_test = None;
    if there.iter().any(|cell| cell.has_server()) {
        let (package, name) = matrix.program;
        let program = programs
            .iter()
            .find(|program| program.kind == Kind::Program && program.target == name)
            .ok_or_else(|| format!("{package} has no program {name}"))?;
        under_test = Some(program.path.clone());
    }
    let mut run = Run {
        arguments,
        probe: Probe::new(under_test)?,
        programs: &programs,
        seed: arguments.seed.unwrap_or_else(|| fastrand::u64(..)),
        log: tempfile::tempdir()?,
    };
    if arguments.faults {
        say(&format!(
            "seed {}: --seed {} repeats the random moments",
            run.seed, run.seed
        ));
    }
    let mut outcomes = Vec::new();
    if workspace {
        outcomes.push(run.workspace(matrix)?);
    }
    let mut standing: Option<(Place, Stand)> = None;
    for (cell, found) in found {
        if standing
            .as_ref()
            .is_some_and(|(place, _)| *place != cell.place)
        {
            standing = None;
        }
        outcomes.push(match found {
            Err(_) => at_rest(cell, found, arguments),
            Ok(found) => run.cell(cell, found, &mut standing)?,
        });
    }
    Ok(outcomes)
}

/// The targets of each workspace, by its manifest; all of them where none are named.
fn to_build<'a>(
    matrix: &Matrix,
    arguments: &Arguments,
    there: &[&'a Cell],
    workspace: bool,
) -> BTreeMap<&'a str, Option<BTreeSet<&'a str>>> {
    let mut wanted: BTreeMap<&str, Option<BTreeSet<&str>>> = BTreeMap::new();
    let suites = there.iter().flat_map(|cell| cell.suites);
    for suite in suites.filter(|suite| arguments.faults || suite.when == When::Always) {
        let targets = wanted.entry(suite.manifest);
        let targets = targets.or_insert_with(|| Some(BTreeSet::new()));
        targets.iter_mut().for_each(|targets| {
            targets.insert(suite.target);
        });
    }
    if there.iter().any(|cell| cell.has_server()) {
        // Cargo builds a package's programs with its tests.
        let suites = matrix.cells.iter().flat_map(|cell| cell.suites);
        let beside = suites
            .filter(|suite| suite.manifest.is_empty() && suite.package == matrix.program.0)
            .map(|suite| suite.target)
            .find(|target| !target.is_empty());
        let targets = wanted.entry("").or_default();
        *targets = targets.take().zip(beside).map(|(mut targets, beside)| {
            targets.insert(beside);
            targets
        });
    }
    if workspace {
        wanted.insert("", None);
    }
    wanted
}

struct Run<'a> {
    arguments: &'a Arguments,
    probe: Probe,
    programs: &'a [Program],
    seed: u64,
    log: tempfile::TempDir,
}

impl Run<'_> {
    fn cell(
        &mut self,
        cell: &Cell,
        found: &Found,
        standing: &mut Option<(Place, Stand)>,
    ) -> Result<Outcome, Failure> {
        let begun = Instant::now();
        let progress = Progress::begin(&cell.to_string());
        let mut outcome = at_rest(cell, &Ok(found.clone()), self.arguments);
        let stand = match standing {
            Some((_, stand)) => stand,
            None => {
                progress.stage(&format!("starts: {found}"));
                let manner = match self.arguments.keep {
                    true => Manner::Kept,
                    false => Manner::Passing,
                };
                match Stand::start(found, cell, &self.probe, manner) {
                    Ok(stand) => &mut standing.insert((cell.place, stand)).1,
                    Err(failure) => {
                        outcome.verdict = Verdict::Failed;
                        outcome.source = format!("{found}: {failure}");
                        progress.end(&format!("FAILED: {}", outcome.source));
                        return Ok(outcome);
                    }
                }
            }
        };
        let trace = self.log.path().join("trace");
        let environment = self.environment(cell, stand, &trace);
        for suite in cell
            .suites
            .iter()
            .filter(|suite| suite.when == When::Always || self.arguments.faults)
        {
            progress.stage(suite.name);
            let done = match suite.when {
                When::Always | When::Faults => self.suite(suite, &environment, &progress)?,
                When::FullDisk => self.on_small_disk(suite, (cell, found), &trace, &progress)?,
            };
            outcome.suites.push(done);
        }
        let told = std::fs::read_to_string(&trace).unwrap_or_default();
        let _ = std::fs::remove_file(&trace);
        outcome.races = told
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        if self.arguments.keep && !stand.kept.is_empty() {
            say(&format!(
                "{cell} is kept at {}; to remove it: {}",
                stand.urls.join(" "),
                stand.kept.join(" && ")
            ));
        }
        self.judge(&mut outcome, begun);
        progress.end(&told_of(&outcome));
        Ok(outcome)
    }

    /// On a server of its own.
    fn on_small_disk(
        &self,
        suite: &Suite,
        (cell, found): (&Cell, &Found),
        trace: &std::path::Path,
        progress: &Progress,
    ) -> Result<SuiteOutcome, Failure> {
        if let Some(reason) = no_small_disk(found) {
            return Ok(SuiteOutcome::left_out(suite.name, reason));
        }
        match Stand::start(found, cell, &self.probe, Manner::OnSmallDisk) {
            Ok(stand) => self.suite(suite, &self.environment(cell, &stand, trace), progress),
            Err(failure) => {
                let said = format!("no server on a small disk: {failure}");
                Ok(SuiteOutcome::failed(suite.name, said))
            }
        }
    }

    /// All that no cell names, and the examples in the documentation.
    fn workspace(&mut self, matrix: &Matrix) -> Result<Outcome, Failure> {
        let begun = Instant::now();
        let progress = Progress::begin(WORKSPACE);
        let named = |program: &Program| {
            let target = match program.kind {
                Kind::Unit => "",
                _ => &program.target,
            };
            let mut suites = matrix.cells.iter().flat_map(|cell| cell.suites);
            suites.any(|suite| suite.package == program.package && suite.target == target)
        };
        let mut outcome = Outcome {
            engine: WORKSPACE.to_owned(),
            version: String::new(),
            lock: String::new(),
            verdict: Verdict::Passed,
            source: "needs no engine, or finds its own".to_owned(),
            seconds: 0.0,
            suites: Vec::new(),
            races: Vec::new(),
        };
        let tests = self
            .programs
            .iter()
            .filter(|program| program.kind != Kind::Program && !named(program));
        for program in tests {
            let name = format!("{} {}", program.package, program.target);
            progress.stage(&name);
            let done = suite_run::run(
                &name,
                program,
                &self.pattern(),
                &[],
                &mut self.log_file()?,
                &mut |suite| progress.case(suite),
            )?;
            show(&done);
            outcome.suites.push(done);
        }
        progress.stage("examples in the documentation");
        let mut command = cargo();
        command
            .args(["test", "--doc", "--workspace"])
            .current_dir(&matrix.root);
        command.arg("--").args(self.pattern());
        let done = suite_run::listen(
            "documentation",
            &mut command,
            &mut self.log_file()?,
            &mut |suite| progress.case(suite),
        )?;
        show(&done);
        outcome.suites.push(done);
        self.judge(&mut outcome, begun);
        progress.end(&told_of(&outcome));
        Ok(outcome)
    }

    fn suite(
        &self,
        suite: &Suite,
        environment: &[(String, String)],
        progress: &Progress,
    ) -> Result<SuiteOutcome, Failure> {
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
        let mut environment = environment.to_vec();
        environment.extend(
            suite
                .environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let done = suite_run::run(
            suite.name,
            program,
            &self.pattern(),
            &environment,
            &mut self.log_file()?,
            &mut |suite| progress.case(suite),
        )?;
        show(&done);
        Ok(done)
    }

    fn pattern(&self) -> Vec<String> {
        self.arguments.case.iter().cloned().collect()
    }

    fn log_file(&self) -> Result<File, Failure> {
        Ok(File::options()
            .create(true)
            .append(true)
            .open(self.log.path().join("log"))?)
    }

    fn environment(
        &self,
        cell: &Cell,
        stand: &Stand,
        trace: &std::path::Path,
    ) -> Vec<(String, String)> {
        let mut environment = vec![
            ("LOCKAGE_TEST_ENGINE".to_owned(), cell.engine.to_owned()),
            (
                "LOCKAGE_TEST_REPLICAS".to_owned(),
                self.arguments.replicas.to_string(),
            ),
            (
                "LOCKAGE_TEST_ROUNDS".to_owned(),
                self.arguments.rounds.to_string(),
            ),
            ("LOCKAGE_TEST_SEED".to_owned(), self.seed.to_string()),
            ("LOCKAGE_TEST_TRACE".to_owned(), trace.display().to_string()),
        ];
        let variable = match cell.place {
            Place::Embedded | Place::Programs { .. } => None,
            Place::Server(server) | Place::Galera(server) | Place::Pooled { server, .. } => {
                Some(server.variable)
            }
        };
        if let (Some(variable), Some(url)) = (variable, stand.urls.first()) {
            environment.push((variable.to_owned(), url.clone()));
        }
        if matches!(cell.place, Place::Galera(_)) {
            environment.push(("LOCKAGE_TEST_GALERA_URLS".to_owned(), stand.urls.join(",")));
        }
        if let Some((kill, start)) = &stand.kill_and_start {
            environment.push(("LOCKAGE_TEST_KILL".to_owned(), kill.clone()));
            environment.push(("LOCKAGE_TEST_START".to_owned(), start.clone()));
            environment.push((
                "LOCKAGE_TEST_KILL_AND_START".to_owned(),
                format!("{kill} && {start}"),
            ));
        }
        if let Some((fill, empty)) = &stand.fill_and_empty {
            environment.push(("LOCKAGE_TEST_FILL".to_owned(), fill.clone()));
            environment.push(("LOCKAGE_TEST_EMPTY".to_owned(), empty.clone()));
        }
        environment
    }

    fn judge(&self, outcome: &mut Outcome, begun: Instant) {
        outcome.seconds = begun.elapsed().as_secs_f64();
        let nothing = outcome.count(CaseState::Passed) == 0 && self.arguments.case.is_none();
        let failed = outcome.suites.iter().any(|suite| !suite.passed);
        outcome.verdict = if failed || nothing {
            Verdict::Failed
        } else {
            Verdict::Passed
        };
        if nothing && !failed {
            outcome.source = format!("no case ran; {}", outcome.source);
        }
    }
}

/// What a suite that failed printed.
fn show(suite: &SuiteOutcome) {
    if !suite.passed {
        say(&format!("\n---- {}\n{}", suite.name, suite.said));
    }
}

fn told_of(outcome: &Outcome) -> String {
    let word = summary::word(outcome.verdict).0;
    let numbers: Vec<String> = [
        (outcome.count(CaseState::Passed), "passed"),
        (outcome.count(CaseState::Failed), "failed"),
        (outcome.count(CaseState::LeftOut), "left out"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    format!(
        "{word}, {} in {:.1} s; {}",
        numbers.join(", "),
        outcome.seconds,
        outcome.source
    )
}

fn write_files(arguments: &Arguments, outcomes: &[Outcome], seconds: f64) -> Result<(), Failure> {
    if let Some(path) = &arguments.junit {
        std::fs::write(path, junit(outcomes))
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(outcomes)?;
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    if let Some(path) = &arguments.report {
        let page = report::page(outcomes, seconds);
        std::fs::write(path, page).map_err(|error| format!("{}: {error}", path.display()))?;
        say(&format!("the report is {}", path.display()));
    }
    Ok(())
}
