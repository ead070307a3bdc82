use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::{Span, Timestamp};
use lockage::{Error, ErrorKind, Result};
use serde_json::json;

use super::{Answered, json_line};
use crate::args::NewArgs;
use crate::config::Settings;
use crate::output::{Answer, Style};

pub(super) fn run(args: &NewArgs, settings: &Settings) -> Answered {
    let name = file_part(&args.name)?;
    let title = args.name.trim();
    let folder = &settings.dir;
    fs::create_dir_all(folder).map_err(|error| cannot(folder, "create the folder", error))?;
    let mut files = Vec::new();
    if args.repeatable {
        let text = format!("-- {title}\n-- Runs again whenever this file changes.\n");
        files.push(write(folder.join(format!("R__{name}.sql")), &text)?);
    } else {
        let version = free_version(folder, Timestamp::now())?;
        let text = format!("-- {title}\n");
        files.push(write(
            folder.join(format!("V{version}__{name}.sql")),
            &text,
        )?);
        if args.undo {
            let text = format!("-- undoes: {title}\n");
            files.push(write(
                folder.join(format!("U{version}__{name}.sql")),
                &text,
            )?);
        }
    }
    Ok(Box::new(Created(files)))
}

/// The name as it stands in a file's name, on every system.
fn file_part(name: &str) -> Result<String> {
    let name = name.trim();
    let wrong = name.is_empty()
        || name.starts_with('-')
        || name
            .chars()
            .any(|c| c.is_control() || "/\\<>:\"|?*".contains(c));
    if wrong {
        return Err(Error::new(
            ErrorKind::InvalidConfig,
            format!("`{}` cannot be part of a file's name", name.escape_debug()),
        )
        .with_hint("use words: lockage new \"create users\""));
    }
    Ok(name.split_whitespace().collect::<Vec<_>>().join("_"))
}

/// The time in UTC, or the next second that no file of the folder has yet.
fn free_version(folder: &Path, now: Timestamp) -> Result<String> {
    let mut taken = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| cannot(folder, "read the folder", error))? {
        let entry = entry.map_err(|error| cannot(folder, "read the folder", error))?;
        taken.push(entry.file_name().to_string_lossy().into_owned());
    }
    let mut time = now;
    loop {
        let version = time.strftime("%Y%m%d%H%M%S").to_string();
        let mark = format!("{version}__");
        if !taken
            .iter()
            .any(|name| name.get(1..).is_some_and(|name| name.starts_with(&mark)))
        {
            return Ok(version);
        }
        time = time.checked_add(Span::new().seconds(1)).map_err(|error| {
            Error::new(ErrorKind::Unexpected, "the clock is at its end").with_source(error)
        })?;
    }
}

fn write(path: PathBuf, text: &str) -> Result<PathBuf> {
    let written = File::create_new(&path).and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Ok(()) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Error::new(
            ErrorKind::InvalidConfig,
            format!(
                "{} is there already; nothing was overwritten",
                path.display()
            ),
        )
        .with_hint("choose another name")),
        Err(error) => Err(cannot(&path, "write", error)),
    }
}

fn cannot(path: &Path, what: &str, error: io::Error) -> Error {
    Error::new(
        ErrorKind::InvalidConfig,
        format!("cannot {what} {}", path.display()),
    )
    .with_source(error)
}

struct Created(Vec<PathBuf>);

impl Answer for Created {
    fn is_asked_for(&self) -> bool {
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
        json_line(
            out,
            &json!({"outcome": "created", "files": files, "error": null}),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_that_is_taken_is_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let now: Timestamp = "2026-01-31T09:30:59Z".parse().unwrap();
        assert_eq!(free_version(folder.path(), now).unwrap(), "20260131093059");
        fs::write(folder.path().join("V20260131093059__a.sql"), "").unwrap();
        fs::write(folder.path().join("U20260131093100__b.sql"), "").unwrap();
        assert_eq!(free_version(folder.path(), now).unwrap(), "20260131093101");
    }

    #[test]
    fn names_become_part_of_a_file_name_or_are_refused() {
        assert_eq!(file_part(" create  users ").unwrap(), "create_users");
        assert_eq!(file_part("größe-2").unwrap(), "größe-2");
        for name in ["", " ", "a/b", "a\\b", "a:b", "a\nb", "-x", "what?"] {
            assert!(file_part(name).is_err(), "{name:?}");
        }
    }
}
