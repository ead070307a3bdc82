//! The environment and `.env`. No other code of Lockage reads them.

use std::collections::HashMap;
use std::path::Path;

use lockage::{Error, ErrorKind, Location, Result};

use super::layer::{SettingsLayer, ValueSource};
use super::setting::Setting;

/// The values of Lockage's variables.
#[derive(Default)]
pub(crate) struct Environment {
    variables: HashMap<String, String>,
    /// Variables whose value is not Unicode.
    not_unicode: Vec<String>,
}

// Variables that are not settings: they select the configuration file and its table, or the output.
const CONFIG: &str = "LOCKAGE_CONFIG";
const ENV: &str = "LOCKAGE_ENV";
const NO_COLOR: &str = "NO_COLOR";
/// See `output::trace`.
const TRACE: &str = "LOCKAGE_TRACE";

/// Returns the names of all variables that Lockage reads.
fn lockage_variables() -> impl Iterator<Item = &'static str> {
    let settings = Setting::ALL
        .into_iter()
        .flat_map(|setting| setting.variables().iter().copied());
    settings.chain([CONFIG, ENV, NO_COLOR, TRACE])
}

impl Environment {
    /// Reads the environment of the process.
    #[allow(
        clippy::disallowed_methods,
        reason = "the only function that reads the environment"
    )]
    pub(crate) fn from_process() -> Self {
        let mut environment = Self::default();
        for name in lockage_variables() {
            match std::env::var(name) {
                Ok(value) => {
                    environment.variables.insert(name.to_owned(), value);
                }
                Err(std::env::VarError::NotUnicode(_)) => {
                    environment.not_unicode.push(name.to_owned());
                }
                Err(std::env::VarError::NotPresent) => {}
            }
        }
        environment
    }

    /// Returns whether NO_COLOR disables colours.
    pub(crate) fn no_color(&self) -> bool {
        self.get(NO_COLOR).is_some()
    }

    /// Returns the file for the machine-readable trace, if any.
    pub(crate) fn trace(&self) -> Option<&Path> {
        self.get(TRACE).map(Path::new)
    }

    pub(super) fn config(&self) -> Option<&str> {
        self.get(CONFIG)
    }

    pub(super) fn env(&self) -> Option<&str> {
        self.get(ENV)
    }

    /// Returns a variable's value. An empty variable counts as unset, since Compose files set such variables.
    fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Returns the settings among the variables.
    pub(super) fn layer(&self, source: fn(String) -> ValueSource) -> Result<SettingsLayer> {
        if let Some(name) = self.not_unicode.first() {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                format!("{name}: the value is not Unicode"),
            ));
        }
        let mut layer = SettingsLayer::default();
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

    /// Reads a `.env` file, which may be missing. The environment of the process stays unchanged.
    pub(super) fn from_dotenv(path: &Path) -> Result<Self> {
        let mut environment = Self::default();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(environment),
            // Some Python projects have their virtual environment in a folder of this name.
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
                Ok((name, value)) if lockage_variables().any(|variable| variable == name) => {
                    environment.variables.entry(name).or_insert(value);
                }
                Ok(_) => {}
                // Other programs share the file, and their invalid lines are ignored. An unclosed quote hides the lines that follow, so
                // the unread text is searched for a line of Lockage.
                Err(dotenvy::Error::LineParse(unread, _)) => {
                    if let Some(error) = invalid_line(path, text, unread.trim()) {
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

/// Returns the Lockage variable that a line sets, if any.
fn variable_name(line: &str) -> Option<&'static str> {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let name = line.split('=').next()?.trim();
    lockage_variables().find(|variable| *variable == name)
}

/// Returns an error if the text that could not be read sets a Lockage variable. The value is not in the message, since it may be a
/// password.
fn invalid_line(path: &Path, text: &str, unread: &str) -> Option<Error> {
    let (name, number) = text.lines().zip(1..).find_map(|(line, number)| {
        let line = line.trim();
        let is_unread = line.ends_with(unread) || unread.contains(line);
        Some((variable_name(line).filter(|_| is_unread)?, number))
    })?;
    let file = path.display().to_string();
    let error = Error::new(
        ErrorKind::InvalidConfig,
        format!("cannot parse the value of {name}"),
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
    pub(super) fn from_pairs(pairs: &[(&str, &str)]) -> Self {
        let variables = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Self {
            variables,
            not_unicode: Vec::new(),
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
        Environment::from_dotenv(&path)
    }

    #[test]
    fn dotenv_reads_only_lockage_variables() {
        let environment = read(
            "# others\nPATH_OF=a b c\nexport DATABASE_URL='postgres://app:a#b c@db/shop'\nLOCKAGE_DIR=sql # comment\nLOCKAGE_SCHEMA=\n",
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
    fn invalid_dotenv_line_is_reported_without_its_value() {
        let error = read("A=1\nDATABASE_URL=postgres://app:hunter2 @db\n")
            .err()
            .unwrap();
        assert_eq!(error.location().unwrap().line, Some(2));
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("DATABASE_URL"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn unclosed_quote_does_not_hide_a_lockage_variable() {
        let error = read("NAME=it's\nDATABASE_URL=sqlite:a.db\n").err().unwrap();
        assert_eq!(error.location().unwrap().line, Some(2));
    }

    #[test]
    fn missing_dotenv_and_folder_have_no_variables() {
        let folder = tempfile::tempdir().unwrap();
        for path in [&folder.path().join(".env"), folder.path()] {
            let environment = Environment::from_dotenv(path).unwrap();
            assert!(environment.variables.is_empty());
        }
    }
}
