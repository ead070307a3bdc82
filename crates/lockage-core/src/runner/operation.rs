use std::collections::HashMap;

use crate::migration::{Checksum, Kind};
use crate::plan::{Plan, Repairs};
use crate::report::Report;
use crate::step::Step;
use crate::{Backend, Error, Result};

/// What a run does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operation<'a> {
    Up,
    Down,
    Repair(&'a Repairs),
    Baseline,
    Rebuild,
}

/// The state of one run, over all its connections.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) operation: Operation<'a>,
    pub(super) report: Report,
    checked_scripts: CheckedScripts,
}

impl<'a> Run<'a> {
    pub(super) fn new(operation: Operation<'a>, report: Report) -> Self {
        Self {
            operation,
            report,
            checked_scripts: CheckedScripts::default(),
        }
    }

    /// Checks the scripts of a plan that this run has not checked yet, and sets [`Step::statements`].
    pub(super) fn check_scripts(&mut self, backend: &Backend, plan: &mut Plan) -> Result<()> {
        self.checked_scripts.check(backend, &mut plan.steps)
    }
}

/// The scripts that were checked, with the number of their statements.
///
/// A run plans before it acquires the lock, again under the lock, and again after a reconnect. A script is checked only once:
/// a script that changes afterwards fails when it is read, because its checksum is not the one of the set.
#[derive(Debug, Default)]
pub(super) struct CheckedScripts {
    statements: HashMap<(Kind, String, Checksum), u32>,
}

impl CheckedScripts {
    /// Checks the scripts of the steps, so that an invalid script is reported before anything is locked or written, and sets
    /// [`Step::statements`].
    pub(super) fn check(&mut self, backend: &Backend, steps: &mut [Step]) -> Result<()> {
        let mut errors = Vec::new();
        for step in steps.iter_mut().filter(|step| step.runs_script()) {
            match self.count_statements(backend, step) {
                Ok(statements) => step.statements = Some(statements),
                Err(error) => errors.push(error),
            }
        }
        Error::combine(errors).map_or(Ok(()), Err)
    }

    fn count_statements(&mut self, backend: &Backend, step: &Step) -> Result<u32> {
        let migration = &step.migration;
        let key = (migration.kind(), migration.key(), migration.checksum());
        if let Some(statements) = self.statements.get(&key) {
            return Ok(*statements);
        }
        let mut statements: u32 = 0;
        backend.check_script(migration, &mut |statement| {
            statements = statements.saturating_add(statement.repeat);
        })?;
        self.statements.insert(key, statements);
        Ok(statements)
    }
}
