//! The settings of one source.

use std::collections::HashMap;
use std::fmt;

use lockage::{Error, ErrorKind, Location};

use super::setting::Setting;

/// The settings of one source: flags, environment, `.env`, or a table of `lockage.toml`.
///
/// Values stay text until the source of each setting is chosen, so an invalid value that is overridden is no error.
#[derive(Default, Clone)]
pub(crate) struct SettingsLayer {
    values: HashMap<Setting, SettingValue>,
}

/// A value and its source. No `Debug`: the value may be a password.
#[derive(Clone)]
pub(super) struct SettingValue {
    pub(super) text: String,
    pub(super) source: ValueSource,
}

/// The source of a value.
#[derive(Debug, Clone)]
pub(super) enum ValueSource {
    Flag(&'static str),
    Variable(String),
    DotEnv(String),
    File(Location),
}

impl SettingsLayer {
    /// Adds the value of a flag, if the flag is given.
    pub(crate) fn flag(&mut self, setting: Setting, value: Option<&str>) {
        if let Some(text) = value {
            self.set(setting, text, ValueSource::Flag(setting.name()));
        }
    }

    /// Adds a flag without a value, if it is given.
    pub(crate) fn switch(&mut self, setting: Setting, on: bool) {
        self.flag(setting, on.then_some("true"));
    }

    pub(super) fn set(&mut self, setting: Setting, text: impl Into<String>, source: ValueSource) {
        let text = text.into();
        self.values.insert(setting, SettingValue { text, source });
    }

    pub(super) fn get(&self, setting: Setting) -> Option<&SettingValue> {
        self.values.get(&setting)
    }
}

impl SettingValue {
    /// Creates an error that names the source of this value.
    pub(super) fn error(&self, message: impl fmt::Display) -> Error {
        let error = Error::new(
            ErrorKind::InvalidConfig,
            format!("{}: {message}", self.source),
        );
        match &self.source {
            ValueSource::File(location) => error.with_location(location.clone()),
            _ => error,
        }
    }
}

impl fmt::Display for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "--{name}"),
            Self::Variable(name) => f.write_str(name),
            Self::DotEnv(name) => write!(f, "{name} in .env"),
            Self::File(location) => f.write_str(&location.file),
        }
    }
}
