//! What clap has to say: help, the version, and arguments that were not understood.

use std::ffi::OsString;

use clap::error::ErrorKind;
use serde_json::json;

use super::json::Run;
use super::redact::redact;
use super::{Output, text};
use crate::config::Environment;
use crate::exit::Exit;

/// Prints it, as JSON when that was asked for, and says what to exit with.
pub(crate) fn report(error: &clap::Error, args: &[OsString], environment: &Environment) -> Exit {
    let has = |flag: &str| {
        args.iter()
            .take_while(|arg| *arg != "--")
            .any(|arg| arg == flag)
    };
    let output = Output::plain(has("--json"), !has("--no-color") && !environment.no_color());
    let plain = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayVersion => on_stdout(&output, &plain, "version", |text| {
            text.split_whitespace()
                .last()
                .unwrap_or_default()
                .to_owned()
        }),
        ErrorKind::DisplayHelp => {
            let styled = error.render().ansi().to_string();
            on_stdout(&output, &styled, "help", |_| plain.clone())
        }
        _ if output.json => {
            let plain = match error.kind() {
                // Clap would answer with the whole help.
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                    "no command is given\n\n`--help` shows the commands".to_owned()
                }
                _ => without_secrets(&plain, args),
            };
            let plain = plain.trim().trim_start_matches("error: ");
            let (message, rest) = plain.split_once("\n\n").unwrap_or((plain, ""));
            let hint = rest.split("\n\n").find(|part| !part.trim().is_empty());
            let run = Run::of_usage(text::one_line(message), hint.map(text::one_line));
            let _ = output.on_stdout(|out| {
                serde_json::to_writer(&mut *out, &run)?;
                writeln!(out)
            });
            Exit::Usage
        }
        _ => {
            let styled = error.render().ansi().to_string();
            output.on_stderr(&without_secrets(&styled, args));
            Exit::Usage
        }
    }
}

fn on_stdout(output: &Output, text: &str, key: &str, value: impl FnOnce(&str) -> String) -> Exit {
    let written = output.on_stdout(|out| {
        if output.json {
            let object = json!({"outcome": "done", key: value(text), "error": null});
            writeln!(out, "{object}")
        } else {
            out.write_all(text.as_bytes())
        }
    });
    match written {
        Ok(()) => Exit::Done,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Done,
        Err(_) => Exit::Failed,
    }
}

/// Clap repeats arguments, and one may be a URL with a password, with spaces in it even.
fn without_secrets(text: &str, args: &[OsString]) -> String {
    let mut text = text.to_owned();
    for arg in args.iter().filter_map(|arg| arg.to_str()) {
        for part in [Some(arg), arg.split_once('=').map(|(_, value)| value)]
            .into_iter()
            .flatten()
        {
            if part.contains(char::is_whitespace) && part.contains('@') && part.contains(':') {
                let joined = part.replace(char::is_whitespace, "_");
                text = text.replace(part, &redact(&joined));
            }
        }
    }
    redact(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn clap_repeats_no_password() {
        let url = "postgres://app:hunter2@db/shop";
        let spaced = "postgres://app:hun ter2@db/shop";
        for args in [
            vec!["lockage", url],
            vec!["lockage", "up", url],
            vec!["lockage", "up", spaced],
            vec!["lockage", "up", "--steps", url],
            vec!["lockage", "up", "--steps=password=hunter2"],
            vec!["lockage", "up", "--urll", url],
            vec!["lockage", "--urll=postgres://app:hunter2@db/shop", "up"],
            vec!["lockage", "up", "--password=hunter2"],
            vec!["lockage", "completions", url],
            vec!["lockage", "wait", "--timeout", spaced],
        ] {
            let error = crate::args::Cli::command()
                .try_get_matches_from(&args)
                .unwrap_err();
            let os: Vec<OsString> = args.iter().map(OsString::from).collect();
            for rendered in [
                error.render().to_string(),
                error.render().ansi().to_string(),
            ] {
                let shown = without_secrets(&rendered, &os);
                assert!(!shown.contains("ter2"), "{args:?}: {shown}");
            }
        }
    }
}
