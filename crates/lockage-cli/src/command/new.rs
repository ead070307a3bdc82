//! `new`: creates migration files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::{Span, Timestamp};
use lockage::{Error, ErrorKind, Result};
use serde_json::json;

use crate::args::NewArgs;
use crate::config::Settings;
use crate::output::command_output::{CommandOutput, CommandResult, Style, write_json_value};

pub(super) fn run(args: &NewArgs, settings: &Settings) -> CommandResult {
    let name = slug(&args.name)?;
    let title = args.name.trim();
    let folder = &settings.dir;
    fs::create_dir_all(folder).map_err(|error| write_error(folder, "create the folder", error))?;
    let mut files = Vec::new();
    if args.repeatable {
        let text = format!("-- {title}\n-- Runs again whenever this file changes.\n");
        files.push(create_file(folder.join(format!("R__{name}.sql")), &text)?);
    } else {
        let version = next_free_version(folder, Timestamp::now())?;
        let text = format!("-- {title}\n");
        files.push(create_file(
            folder.join(format!("V{version}__{name}.sql")),
            &text,
        )?);
        if args.undo {
            let text = format!("-- undoes: {title}\n");
            files.push(create_file(
                folder.join(format!("U{version}__{name}.sql")),
                &text,
            )?);
        }
    }
    Ok(Box::new(NewOutput(files)))
}

/// Returns the name as a part of a file name that is valid on every system.
fn slug(name: &str) -> Result<String> {
    let name = name.trim();
    let is_invalid = name.is_empty()
        || name.starts_with('-')
        || name
            .chars()
            .any(|c| c.is_control() || "/\\<>:\"|?*".contains(c));
    if is_invalid {
        return Err(Error::new(
            ErrorKind::InvalidConfig,
            format!("`{}` cannot be part of a file name", name.escape_debug()),
        )
        .with_hint("use words: lockage new \"create users\""));
    }
    Ok(name.split_whitespace().collect::<Vec<_>>().join("_"))
}

/// Returns `now` in UTC, or the next second that no file of the folder uses.
fn next_free_version(folder: &Path, now: Timestamp) -> Result<String> {
    let mut taken = Vec::new();
    for entry in
        fs::read_dir(folder).map_err(|error| write_error(folder, "read the folder", error))?
    {
        let entry = entry.map_err(|error| write_error(folder, "read the folder", error))?;
        taken.push(entry.file_name().to_string_lossy().into_owned());
    }
    let mut time = now;
    loop {
        let version = time.strftime("%Y%m%d%H%M%S").to_string();
        let prefix = format!("{version}__");
        if !taken
            .iter()
            .any(|name| name.get(1..).is_some_and(|name| name.starts_with(&prefix)))
        {
            return Ok(version);
        }
        time = time.checked_add(Span::new().seconds(1)).map_err(|error| {
            let message = "cannot generate a version: the system time is out of range";
            Error::new(ErrorKind::Unexpected, message).with_source(error)
        })?;
    }
}

/// Creates a file. Fails if it exists.
fn create_file(path: PathBuf, text: &str) -> Result<PathBuf> {
    let written = File::create_new(&path).and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Ok(()) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Error::new(
            ErrorKind::InvalidConfig,
            format!("{} already exists; nothing was overwritten", path.display()),
        )
        .with_hint("choose another name")),
        Err(error) => Err(write_error(&path, "write", error)),
    }
}

fn write_error(path: &Path, action: &str, error: io::Error) -> Error {
    Error::new(
        ErrorKind::InvalidConfig,
        format!("cannot {action} {}", path.display()),
    )
    .with_source(error)
}

struct NewOutput(Vec<PathBuf>);

impl CommandOutput for NewOutput {
    fn is_primary_output(&self) -> bool {
        true
    }

    fn write_text(&self, out: &mut dyn Write, _: Style) -> io::Result<()> {
        self.0
            .iter()
            .try_for_each(|path| writeln!(out, "{}", path.display()))
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let files: Vec<String> = self
            .0
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        write_json_value(
            out,
            &json!({"outcome": "created", "files": files, "error": null}),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_second_is_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let now: Timestamp = "2026-01-31T09:30:59Z".parse().unwrap();
        assert_eq!(
            next_free_version(folder.path(), now).unwrap(),
            "20260131093059"
        );
        fs::write(folder.path().join("V20260131093059__a.sql"), "").unwrap();
        fs::write(folder.path().join("U20260131093100__b.sql"), "").unwrap();
        assert_eq!(
            next_free_version(folder.path(), now).unwrap(),
            "20260131093101"
        );
    }

    #[test]
    fn names_become_file_names_or_are_rejected() {
        assert_eq!(slug(" create  users ").unwrap(), "create_users");
        assert_eq!(slug("größe-2").unwrap(), "größe-2");
        for name in ["", " ", "a/b", "a\\b", "a:b", "a\nb", "-x", "what?"] {
            assert!(slug(name).is_err(), "{name:?}");
        }
    }
}
