//! Help, version and usage errors, as clap reports them.

use std::ffi::OsString;

use clap::error::ErrorKind;
use lockage::redact::mask_secrets;
use lockage::{DatabaseUrl, Registry};
use serde_json::json;

use super::json::RunJson;
use super::{Output, text};
use crate::config::Environment;
use crate::exit::Exit;

/// Prints clap's result, as JSON with `--json`, and returns the exit of the process.
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
                // Clap's text is the complete help.
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                    "no command given\n\nuse `--help` to list the commands".to_owned()
                }
                _ => mask_arguments(&plain, args),
            };
            let plain = plain.trim().trim_start_matches("error: ");
            let (message, details) = plain.split_once("\n\n").unwrap_or((plain, ""));
            let hint = details.split("\n\n").find(|part| !part.trim().is_empty());
            let run = RunJson::from_usage_error(text::one_line(message), hint.map(text::one_line));
            let _ = output.on_stdout(|out| {
                serde_json::to_writer(&mut *out, &run)?;
                writeln!(out)
            });
            Exit::Usage
        }
        _ => {
            let styled = error.render().ansi().to_string();
            output.on_stderr(&mask_arguments(&styled, args));
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
        Ok(()) => Exit::Success,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Exit::Success,
        Err(_) => Exit::Failed,
    }
}

/// Masks passwords in a text of clap, which repeats arguments. A password in a URL may contain spaces.
fn mask_arguments(text: &str, args: &[OsString]) -> String {
    let mut text = text.to_owned();
    for arg in args.iter().filter_map(|arg| arg.to_str()) {
        for part in [Some(arg), arg.split_once('=').map(|(_, value)| value)]
            .into_iter()
            .flatten()
        {
            // The rule by which a URL is read can mask more than the general one.
            let url = DatabaseUrl::parse(part).ok();
            let is_url = |url: &DatabaseUrl| {
                let linked = Registry::linked();
                part.contains("://") || linked.is_ok_and(|linked| linked.find(url.scheme()).is_ok())
            };
            if let Some(url) = url.filter(is_url) {
                text = text.replace(part, &mask_secrets(&url.to_string()));
            } else if part.contains(char::is_whitespace) && part.contains('@') && part.contains(':')
            {
                let joined = part.replace(char::is_whitespace, "_");
                text = text.replace(part, &mask_secrets(&joined));
            }
        }
    }
    mask_secrets(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn usage_errors_show_no_password() {
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
                let shown = mask_arguments(&rendered, &os);
                assert!(!shown.contains("ter2"), "{args:?}: {shown}");
            }
        }
    }
}
