//! The environment and `.env`. Nothing else in Lockage reads either.

use std::collections::HashMap;
use std::path::Path;

use lockage::{Error, ErrorKind, Location, Result};

use super::Setting;
use super::layer::{Layer, Source};

/// The variables that mean something to us. Values are text, or what is said of one that is no text.
#[derive(Default)]
pub(crate) struct Environment {
    variables: HashMap<String, String>,
    /// Variables of ours whose value is not Unicode.
    unreadable: Vec<String>,
}

/// Variables that are no settings: they say where to look for them, or how to print.
const CONFIG: &str = "LOCKAGE_CONFIG";
const ENV: &str = "LOCKAGE_ENV";
const NO_COLOR: &str = "NO_COLOR";
/// See `output::trace`.
const TRACE: &str = "LOCKAGE_TRACE";

fn known() -> impl Iterator<Item = &'static str> {
    let settings = Setting::ALL
        .into_iter()
        .flat_map(|setting| setting.variables().iter().copied());
    settings.chain([CONFIG, ENV, NO_COLOR, TRACE])
}

impl Environment {
    /// The environment of the process.
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place where the environment is read"
    )]
    pub(crate) fn of_process() -> Self {
        let mut environment = Self::default();
        for name in known() {
            match std::env::var(name) {
                Ok(value) => {
                    environment.variables.insert(name.to_owned(), value);
                }
                Err(std::env::VarError::NotUnicode(_)) => {
                    environment.unreadable.push(name.to_owned());
                }
                Err(std::env::VarError::NotPresent) => {}
            }
        }
        environment
    }

    /// Whether NO_COLOR asks for output without colours.
    pub(crate) fn no_color(&self) -> bool {
        self.get(NO_COLOR).is_some()
    }

    /// The file for the machine-readable trace.
    pub(crate) fn trace(&self) -> Option<&Path> {
        self.get(TRACE).map(Path::new)
    }

    pub(super) fn config(&self) -> Option<&str> {
        self.get(CONFIG)
    }

    pub(super) fn env(&self) -> Option<&str> {
        self.get(ENV)
    }

    /// A variable that is set to nothing is not set: Compose files make such ones.
    fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The settings among the variables.
    pub(super) fn layer(&self, source: fn(String) -> Source) -> Result<Layer> {
        if let Some(name) = self.unreadable.first() {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                format!("{name}: the value is not Unicode"),
            ));
        }
        let mut layer = Layer::default();
        for setting in Setting::ALL {
            let set = setting
                .variables()
                .iter()
                .find_map(|name| Some((*name, self.get(name)?)));
            if let Some((name, value)) = set {
                layer.set(setting, value, source(name.to_owned()));
            }
        }
        Ok(layer)
    }

    /// Reads a `.env` file; one that is missing says nothing. The process's environment stays as it is.
    pub(super) fn of_file(path: &Path) -> Result<Self> {
        let mut environment = Self::default();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(environment),
            // Many a Python project has its virtual environment in a folder of this name.
            Err(_) if path.is_dir() => return Ok(environment),
            Err(error) => {
                return Err(Error::new(
                    ErrorKind::InvalidConfig,
                    format!("cannot read {}", path.display()),
                )
                .with_source(error));
            }
        };
        let text = text.trim_start_matches('\u{FEFF}');
        for line in dotenvy::Iter::new(text.as_bytes()) {
            match line {
                Ok((name, value)) if known().any(|ours| ours == name) => {
                    environment.variables.entry(name).or_insert(value);
                }
                Ok(_) => {}
                // The file is shared with other programs, whose lines are not ours to judge. A quote that is left open
                // swallows what follows: a line of ours in there must not go unheard.
                Err(dotenvy::Error::LineParse(unread, _)) => {
                    if let Some(error) = about_ours(path, text, unread.trim()) {
                        return Err(error);
                    }
                }
                Err(error) => {
                    return Err(Error::new(
                        ErrorKind::InvalidConfig,
                        format!("cannot read {}", path.display()),
                    )
                    .with_source(error));
                }
            }
        }
        Ok(environment)
    }
}

/// The variable of ours that a line sets.
fn name_of(line: &str) -> Option<&'static str> {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let name = line.split('=').next()?.trim();
    known().find(|ours| *ours == name)
}

/// The error about what could not be read, a value or several lines, when a variable of ours is in it. The value stays out of the
/// message: it may be a password.
fn about_ours(path: &Path, text: &str, unread: &str) -> Option<Error> {
    let (name, number) = text.lines().zip(1..).find_map(|(line, number)| {
        let line = line.trim();
        let inside = line.ends_with(unread) || unread.contains(line);
        Some((name_of(line).filter(|_| inside)?, number))
    })?;
    let file = path.display().to_string();
    let error = Error::new(
        ErrorKind::InvalidConfig,
        format!("the value of {name} cannot be read"),
    );
    Some(
        error
            .with_location(Location::at(file, number, 1))
            .with_hint(
                "put a value with spaces, quotes or # in single quotes, and close every quote",
            ),
    )
}

#[cfg(test)]
impl Environment {
    pub(super) fn of_pairs(pairs: &[(&str, &str)]) -> Self {
        let variables = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Self {
            variables,
            unreadable: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Environment> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        std::fs::write(&path, text).unwrap();
        Environment::of_file(&path)
    }

    #[test]
    fn a_dot_env_file_is_read_for_what_is_ours() {
        let environment = read(
            "# others'\nPATH_OF=a b c\nexport DATABASE_URL='postgres://app:a#b c@db/shop'\nLOCKAGE_DIR=sql # comment\nLOCKAGE_SCHEMA=\n",
        )
        .unwrap();
        assert_eq!(
            environment.get("DATABASE_URL"),
            Some("postgres://app:a#b c@db/shop")
        );
        assert_eq!(environment.get("LOCKAGE_DIR"), Some("sql"));
        assert_eq!(environment.get("LOCKAGE_SCHEMA"), None);
        assert!(environment.get("PATH_OF").is_none());
    }

    #[test]
    fn a_line_of_ours_that_cannot_be_read_is_told_without_its_value() {
        let error = read("A=1\nDATABASE_URL=postgres://app:hunter2 @db\n")
            .err()
            .unwrap();
        assert_eq!(error.location().unwrap().line, Some(2));
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("DATABASE_URL"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_quote_that_is_left_open_does_not_swallow_a_line_of_ours() {
        let error = read("NAME=it's\nDATABASE_URL=sqlite:a.db\n").err().unwrap();
        assert_eq!(error.location().unwrap().line, Some(2));
    }

    #[test]
    fn no_file_and_a_folder_say_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for path in [&folder.path().join(".env"), folder.path()] {
            let environment = Environment::of_file(path).unwrap();
            assert!(environment.variables.is_empty());
        }
    }
}
