//! One run of the matrix: selects cells, finds their servers, runs them and writes the results.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use lockage_testkit::TestError;

use crate::build::{Kind, Program, build};
use crate::cell::{Cell, Provisioning, RunCondition};
use crate::cell_run::CellRunner;
use crate::docker::{Docker, remove_all};
use crate::environment::Environment;
use crate::junit::junit;
use crate::outcome::{Outcome, Verdict};
use crate::probe::Probe;
use crate::progress::print_line;
use crate::resolve::{Host, Resolved};
use crate::suite_run::kill_running;
use crate::workspace_run::WORKSPACE;
use crate::{Arguments, Matrix, plan, report, summary};

/// The exit code after Ctrl-C, as in shells.
const INTERRUPTED: i32 = 130;

/// A cell and its source, or the reason why it is not available.
type FoundCell<'a> = (&'a Cell, Result<Resolved, String>);

impl Matrix {
    /// Runs the matrix as the `main` of a program: reads the command line and prints the results to standard output.
    pub fn main(&self) -> ExitCode {
        self.run(&Arguments::parse()).unwrap_or_else(|error| {
            let _ = writeln!(std::io::stderr(), "test-matrix: {error}");
            ExitCode::FAILURE
        })
    }

    /// Runs the matrix with `arguments`. Returns [`ExitCode::FAILURE`] if a case failed or a required engine is unavailable.
    ///
    /// # Errors
    /// Fails if an argument names no cell, if the tests do not build, or if a file cannot be written.
    pub fn run(&self, arguments: &Arguments) -> Result<ExitCode, TestError> {
        run(self, arguments)
    }
}

fn run(matrix: &Matrix, arguments: &Arguments) -> Result<ExitCode, TestError> {
    check_filters(matrix, arguments)?;
    let cells: Vec<&Cell> = matrix
        .cells
        .iter()
        .filter(|cell| arguments.selects(|filter| cell.matches_filter(filter), cell.version))
        .collect();
    if arguments.plan.is_some() {
        print_line(&plan::json(&cells)?);
        return Ok(ExitCode::SUCCESS);
    }
    let started_at = Instant::now();
    let found = find_servers(matrix, arguments, &cells)?;
    let outcomes = match arguments.list {
        true => found
            .iter()
            .map(|(cell, resolved)| not_run(cell, resolved, arguments))
            .collect(),
        false => run_cells(matrix, arguments, &found)?,
    };
    print_line(&format!("\n{}", summary::table(&outcomes)));
    write_files(arguments, &outcomes, started_at.elapsed().as_secs_f64())?;
    let failed = outcomes
        .iter()
        .any(|outcome| outcome.verdict == Verdict::Failed);
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Fails if a filter among the arguments matches no cell.
fn check_filters(matrix: &Matrix, arguments: &Arguments) -> Result<(), TestError> {
    let lists = [&arguments.engine, &arguments.without, &arguments.require];
    for filter in lists.into_iter().flatten() {
        let known = filter == WORKSPACE && matrix.with_workspace
            || matrix.cells.iter().any(|cell| cell.matches_filter(filter));
        if !known {
            let names: BTreeSet<String> = matrix
                .cells
                .iter()
                .map(|cell| format!("{}:{}", cell.engine, cell.version))
                .collect();
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            return Err(format!("unknown engine {filter}; the engines are {names}").into());
        }
    }
    Ok(())
}

/// Finds the source of each cell. Also removes the containers of killed runs, unless the cells are only listed.
fn find_servers<'a>(
    matrix: &Matrix,
    arguments: &Arguments,
    cells: &[&'a Cell],
) -> Result<Vec<FoundCell<'a>>, TestError> {
    let docker = match cells.iter().all(|cell| !cell.has_server()) {
        true => Err("no container is needed".into()),
        false => Docker::find(),
    };
    if let Ok(docker) = docker
        && !arguments.list
    {
        let removed = docker.remove_stale()?;
        if removed > 0 {
            print_line(&format!("removed {removed} containers of a killed run"));
        }
    }
    let host = Host {
        docker,
        environment: &environment_variable,
        pulls: !arguments.list,
    };
    let find = |cell: &Cell| {
        let excluded = arguments
            .without
            .iter()
            .any(|filter| cell.matches_filter(filter));
        match excluded {
            true => Err("excluded by --without".to_owned()),
            false => host.find(cell, is_first_version(matrix.cells, cell)),
        }
    };
    Ok(cells.iter().map(|cell| (*cell, find(cell))).collect())
}

#[expect(clippy::disallowed_methods, reason = "this is the main of a program")]
fn environment_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Returns whether a cell has the first version of its engine in the table.
fn is_first_version(cells: &[Cell], cell: &Cell) -> bool {
    cells
        .iter()
        .find(|other| other.engine == cell.engine)
        .is_some_and(|first| first.version == cell.version)
}

/// Returns the outcome of a cell in which nothing ran.
fn not_run(cell: &Cell, resolved: &Result<Resolved, String>, arguments: &Arguments) -> Outcome {
    let required = arguments
        .require
        .iter()
        .any(|filter| cell.matches_filter(filter));
    let (verdict, source) = match resolved {
        Ok(resolved) => (Verdict::Available, resolved.to_string()),
        Err(reason) if required => (
            Verdict::Failed,
            format!("required but not available: {reason}"),
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

/// Builds the test programs and runs all available cells.
fn run_cells(
    matrix: &Matrix,
    arguments: &Arguments,
    found: &[FoundCell<'_>],
) -> Result<Vec<Outcome>, TestError> {
    if !arguments.keep {
        // `set_handler` fails if a handler is installed already. That handler does the same.
        let _ = ctrlc::set_handler(|| {
            kill_running();
            remove_all();
            std::process::exit(INTERRUPTED);
        });
    }
    let workspace = matrix.with_workspace
        && !arguments.without.iter().any(|filter| filter == WORKSPACE)
        && arguments.selects(|filter| filter == WORKSPACE, "");
    let available: Vec<&Cell> = found
        .iter()
        .filter_map(|(cell, resolved)| resolved.is_ok().then_some(*cell))
        .collect();
    let mut programs = Vec::new();
    for (manifest, targets) in targets_to_build(matrix, arguments, &available, workspace) {
        programs.extend(build(&matrix.root, manifest, targets.as_ref())?);
    }
    let program = program_under_test(matrix, &programs, &available)?;
    let runner = CellRunner {
        arguments,
        probe: Probe::new(program)?,
        programs: &programs,
        seed: arguments.seed.unwrap_or_else(|| fastrand::u64(..)),
        log: tempfile::tempdir()?,
    };
    if arguments.faults {
        print_line(&format!(
            "seed {}: --seed {} repeats the random moments",
            runner.seed, runner.seed
        ));
    }
    let mut outcomes = Vec::new();
    if workspace {
        outcomes.push(runner.workspace(matrix)?);
    }
    let mut started: Option<(Provisioning, Environment)> = None;
    for (cell, resolved) in found {
        // Consecutive cells with the same provisioning share the servers.
        if started
            .as_ref()
            .is_some_and(|(provisioning, _)| *provisioning != cell.provisioning)
        {
            started = None;
        }
        let outcome = not_run(cell, resolved, arguments);
        outcomes.push(match resolved {
            Err(_) => outcome,
            Ok(resolved) => runner.cell(cell, resolved, outcome, &mut started)?,
        });
    }
    Ok(outcomes)
}

/// Returns the path of the program under test, or `None` if no cell has a server.
fn program_under_test(
    matrix: &Matrix,
    programs: &[Program],
    available: &[&Cell],
) -> Result<Option<std::path::PathBuf>, TestError> {
    if available.iter().all(|cell| !cell.has_server()) {
        return Ok(None);
    }
    let (package, name) = matrix.program;
    let program = programs
        .iter()
        .find(|program| program.kind == Kind::Program && program.target == name)
        .ok_or_else(|| format!("{package} has no program {name}"))?;
    Ok(Some(program.path.clone()))
}

/// Returns the test targets to build, by the manifest of their workspace. `None` means all targets.
fn targets_to_build<'a>(
    matrix: &Matrix,
    arguments: &Arguments,
    available: &[&'a Cell],
    workspace: bool,
) -> BTreeMap<&'a str, Option<BTreeSet<&'a str>>> {
    let mut wanted: BTreeMap<&str, Option<BTreeSet<&str>>> = BTreeMap::new();
    let suites = available.iter().flat_map(|cell| cell.suites);
    for suite in suites.filter(|suite| arguments.faults || suite.condition == RunCondition::Always)
    {
        let targets = wanted.entry(suite.manifest);
        let targets = targets.or_insert_with(|| Some(BTreeSet::new()));
        targets.iter_mut().for_each(|targets| {
            targets.insert(suite.target);
        });
    }
    if available.iter().any(|cell| cell.has_server()) {
        // Cargo builds the programs of a package together with its tests, so one test of the package of the program is enough.
        let suites = matrix.cells.iter().flat_map(|cell| cell.suites);
        let target = suites
            .filter(|suite| suite.manifest.is_empty() && suite.package == matrix.program.0)
            .map(|suite| suite.target)
            .find(|target| !target.is_empty());
        let targets = wanted.entry("").or_default();
        *targets = targets.take().zip(target).map(|(mut targets, target)| {
            targets.insert(target);
            targets
        });
    }
    if workspace {
        wanted.insert("", None);
    }
    wanted
}

fn write_files(arguments: &Arguments, outcomes: &[Outcome], seconds: f64) -> Result<(), TestError> {
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
        print_line(&format!("report written to {}", path.display()));
    }
    Ok(())
}
