use std::collections::HashMap;
use std::fmt;

use lockage::{Error, ErrorKind, Location};

use super::Setting;

/// What one place says: the flags, the environment, `.env`, a table of `lockage.toml`.
///
/// Values stay text until it is known which of them counts: a mistake in one that is overruled is nobody's concern.
#[derive(Default, Clone)]
pub(crate) struct Layer {
    values: HashMap<Setting, Given>,
}

/// A value and where it stands. No `Debug`: it may be a password.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) text: String,
    pub(super) source: Source,
}

/// Where a value stands.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Flag(&'static str),
    Variable(String),
    DotEnv(String),
    File(Location),
}

impl Layer {
    /// Takes a flag with a value.
    pub(crate) fn flag(&mut self, setting: Setting, value: Option<&str>) {
        if let Some(text) = value {
            self.set(setting, text, Source::Flag(setting.name()));
        }
    }

    /// Takes a flag without a value; one that is not given says nothing.
    pub(crate) fn switch(&mut self, setting: Setting, on: bool) {
        self.flag(setting, on.then_some("true"));
    }

    pub(super) fn set(&mut self, setting: Setting, text: impl Into<String>, source: Source) {
        let text = text.into();
        self.values.insert(setting, Given { text, source });
    }

    pub(super) fn get(&self, setting: Setting) -> Option<&Given> {
        self.values.get(&setting)
    }
}

impl Given {
    /// An error about this value.
    pub(super) fn wrong(&self, message: impl fmt::Display) -> Error {
        let error = Error::new(
            ErrorKind::InvalidConfig,
            format!("{}: {message}", self.source),
        );
        match &self.source {
            Source::File(location) => error.with_location(location.clone()),
            _ => error,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "--{name}"),
            Self::Variable(name) => f.write_str(name),
            Self::DotEnv(name) => write!(f, "{name} in .env"),
            Self::File(location) => f.write_str(&location.file),
        }
    }
}
