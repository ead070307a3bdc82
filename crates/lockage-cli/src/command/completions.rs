//! `completions`: prints a completion script for a shell.

use std::io::{self, Write};

use clap::CommandFactory;
use serde_json::json;

use crate::args::{Cli, CompletionsArgs};
use crate::output::command_output::{CommandOutput, Style, write_json_value};

pub(super) fn run(args: &CompletionsArgs) -> Box<dyn CommandOutput> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "lockage", &mut script);
    Box::new(CompletionsOutput {
        shell: args.shell.to_string(),
        script: String::from_utf8_lossy(&script).into_owned(),
    })
}

struct CompletionsOutput {
    shell: String,
    script: String,
}

impl CommandOutput for CompletionsOutput {
    fn is_primary_output(&self) -> bool {
        true
    }

    fn write_text(&self, out: &mut dyn Write, _: Style) -> io::Result<()> {
        out.write_all(self.script.as_bytes())
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        write_json_value(
            out,
            &json!({"outcome": "done", "shell": self.shell, "script": self.script, "error": null}),
        )
    }
}
