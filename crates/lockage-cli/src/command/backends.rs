use std::io::{self, Write};

use lockage::{Backend, Registry};
use serde::Serialize;

use super::{Answered, json_line};
use crate::output::table::table;
use crate::output::{Answer, Style};

pub(super) fn run() -> Answered {
    let registry = Registry::linked()?;
    Ok(Box::new(Backends(registry.backends().copied().collect())))
}

struct Backends(Vec<Backend>);

#[derive(Serialize)]
struct Json {
    outcome: &'static str,
    backends: Vec<One>,
    error: Option<()>,
}

#[derive(Serialize)]
struct One {
    name: &'static str,
    schemes: &'static [&'static str],
    transactional_ddl: bool,
    cross_process_lock: bool,
    lock: &'static str,
}

impl Answer for Backends {
    fn is_asked_for(&self) -> bool {
        true
    }

    fn write_text(&self, out: &mut dyn Write, style: Style) -> io::Result<()> {
        if self.0.is_empty() {
            return writeln!(out, "no backend is linked");
        }
        let mut table = table(
            style,
            &[
                "backend",
                "schemes",
                "transactional ddl",
                "between processes",
                "lock",
            ],
        );
        let word = |yes| if yes { "yes" } else { "no" };
        for backend in &self.0 {
            let can = backend.capabilities();
            table.add_row([
                backend.name(),
                &backend.schemes().join(", "),
                word(can.transactional_ddl),
                word(can.cross_process_lock),
                can.lock,
            ]);
        }
        writeln!(out, "{}", table.trim_fmt())
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let one = |backend: &Backend| {
            let can = backend.capabilities();
            One {
                name: backend.name(),
                schemes: backend.schemes(),
                transactional_ddl: can.transactional_ddl,
                cross_process_lock: can.cross_process_lock,
                lock: can.lock,
            }
        };
        json_line(
            out,
            &Json {
                outcome: "done",
                backends: self.0.iter().map(one).collect(),
                error: None,
            },
        )
    }
}
