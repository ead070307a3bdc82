//! `backends`: lists the linked backends.

use std::io::{self, Write};

use lockage::{Backend, Registry};
use serde::Serialize;

use crate::output::command_output::{CommandOutput, CommandResult, Style, write_json_value};
use crate::output::table::{format_table, new_table};

pub(super) fn run() -> CommandResult {
    let registry = Registry::linked()?;
    let backends = registry.backends().copied().collect();
    Ok(Box::new(BackendsOutput(backends)))
}

struct BackendsOutput(Vec<Backend>);

#[derive(Serialize)]
struct BackendsJson {
    outcome: &'static str,
    backends: Vec<BackendJson>,
    error: Option<()>,
}

#[derive(Serialize)]
struct BackendJson {
    name: &'static str,
    schemes: &'static [&'static str],
    transactional_ddl: bool,
    cross_process_lock: bool,
    lock: &'static str,
}

impl BackendJson {
    fn from_backend(backend: &Backend) -> Self {
        let capabilities = backend.capabilities();
        Self {
            name: backend.name(),
            schemes: backend.schemes(),
            transactional_ddl: capabilities.transactional_ddl,
            cross_process_lock: capabilities.cross_process_lock,
            lock: capabilities.lock,
        }
    }
}

impl CommandOutput for BackendsOutput {
    fn is_primary_output(&self) -> bool {
        true
    }

    fn write_text(&self, out: &mut dyn Write, style: Style) -> io::Result<()> {
        if self.0.is_empty() {
            return writeln!(out, "no backend is linked");
        }
        let mut table = new_table(
            style,
            &[
                "backend",
                "schemes",
                "transactional ddl",
                "cross-process lock",
                "lock",
            ],
        );
        let yes_or_no = |yes| if yes { "yes" } else { "no" };
        for backend in self.0.iter().map(BackendJson::from_backend) {
            table.add_row([
                backend.name,
                &backend.schemes.join(", "),
                yes_or_no(backend.transactional_ddl),
                yes_or_no(backend.cross_process_lock),
                backend.lock,
            ]);
        }
        writeln!(out, "{}", format_table(table))
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let backends = self.0.iter().map(BackendJson::from_backend).collect();
        write_json_value(
            out,
            &BackendsJson {
                outcome: "done",
                backends,
                error: None,
            },
        )
    }
}
