use std::io::{self, Write};

use clap::CommandFactory;
use serde_json::json;

use super::json_line;
use crate::args::{Cli, CompletionsArgs};
use crate::output::{Answer, Style};

pub(super) fn run(args: &CompletionsArgs) -> Box<dyn Answer> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "lockage", &mut script);
    Box::new(Completions {
        shell: args.shell.to_string(),
        script: String::from_utf8_lossy(&script).into_owned(),
    })
}

struct Completions {
    shell: String,
    script: String,
}

impl Answer for Completions {
    fn is_asked_for(&self) -> bool {
        true
    }

    fn write_text(&self, out: &mut dyn Write, _: Style) -> io::Result<()> {
        out.write_all(self.script.as_bytes())
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        json_line(
            out,
            &json!({"outcome": "done", "shell": self.shell, "script": self.script, "error": null}),
        )
    }
}
