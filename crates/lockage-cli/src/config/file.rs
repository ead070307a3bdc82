//! `lockage.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lockage::{Error, ErrorKind, Location, Result};
use serde::Deserialize;
use toml::Spanned;

use super::Setting;
use super::layer::{Layer, Source};
use crate::output::redact::redact;

/// The file that is read when no other is named.
const DEFAULT: &str = "lockage.toml";

/// The whole file, or one of its `[env.NAME]` tables.
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a table of settings"
)]
struct Table {
    url: Option<Spanned<String>>,
    password_file: Option<Spanned<PathBuf>>,
    dir: Option<Spanned<PathBuf>>,
    schema: Option<Spanned<String>>,
    lock_id: Option<Spanned<i64>>,
    lock_name: Option<Spanned<String>>,
    lock_strategy: Option<Spanned<String>>,
    lock: Option<LockTable>,
    wait: Option<Spanned<String>>,
    connect_timeout: Option<Spanned<String>>,
    ddl_lock_timeout: Option<Spanned<String>>,
    statement_timeout: Option<Spanned<String>>,
    create: Option<Spanned<bool>>,
    out_of_order: Option<Spanned<bool>>,
    strict: Option<Spanned<bool>>,
    #[serde(default)]
    env: BTreeMap<String, Spanned<Table>>,
}

/// The table `[lock]`.
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "a table: `lock-id` and `lock-name` say which lock"
)]
struct LockTable {
    align: Option<Spanned<Words>>,
}

/// One word or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    One(String),
    Several(Vec<String>),
}

/// A configuration file that was read.
pub(super) struct ConfigFile {
    path: PathBuf,
    text: String,
    table: Table,
}

impl ConfigFile {
    /// Reads the named file, or the one in the working directory where there is one.
    pub(super) fn read(named: Option<&Path>) -> Result<Option<Self>> {
        let path = named.unwrap_or(Path::new(DEFAULT));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
                return Ok(None);
            }
            Err(error) => {
                return Err(Error::new(
                    ErrorKind::InvalidConfig,
                    format!("cannot read the configuration file {}", path.display()),
                )
                .with_source(error));
            }
        };
        Self::parse(path, text).map(Some)
    }

    fn parse(path: &Path, text: String) -> Result<Self> {
        let table: Table = toml::from_str(&text).map_err(|error| {
            let message = redact(error.message()).into_owned();
            let known = Error::new(ErrorKind::InvalidConfig, &message).with_location(place(
                path,
                &text,
                error.span().map(|span| span.start),
            ));
            if message.contains("unknown field `password`") {
                known.with_hint(
                    "give the password with LOCKAGE_PASSWORD, or name its file with password-file",
                )
            } else {
                known
            }
        })?;
        let file = Self {
            path: path.to_owned(),
            text,
            table,
        };
        if let Some(nested) = file
            .table
            .env
            .values()
            .find(|table| !table.as_ref().env.is_empty())
        {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                "an [env.NAME] table has no [env.NAME] tables in it",
            )
            .with_location(file.at(nested)));
        }
        Ok(file)
    }

    /// The settings that stand outside the `[env.NAME]` tables.
    pub(super) fn common(&self) -> Layer {
        self.layer(&self.table)
    }

    /// The settings of one `[env.NAME]` table.
    pub(super) fn env(&self, name: &str) -> Result<Layer> {
        let table = self.table.env.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.table.env.keys().map(String::as_str).collect();
            let hint = if known.is_empty() {
                format!("it has no such table; write [env.{name}]")
            } else {
                format!("it has {}", known.join(", "))
            };
            Error::new(
                ErrorKind::InvalidConfig,
                format!("{} has no table [env.{name}]", self.path.display()),
            )
            .with_hint(hint)
        })?;
        Ok(self.layer(table.as_ref()))
    }

    fn layer(&self, table: &Table) -> Layer {
        let mut layer = Layer::default();
        let mut text = |setting, value: &Option<Spanned<String>>| {
            if let Some(value) = value {
                layer.set(setting, value.as_ref(), Source::File(self.at(value)));
            }
        };
        text(Setting::Url, &table.url);
        text(Setting::Schema, &table.schema);
        text(Setting::LockName, &table.lock_name);
        text(Setting::LockStrategy, &table.lock_strategy);
        text(Setting::Wait, &table.wait);
        text(Setting::ConnectTimeout, &table.connect_timeout);
        text(Setting::DdlLockTimeout, &table.ddl_lock_timeout);
        text(Setting::StatementTimeout, &table.statement_timeout);
        for (setting, value) in [
            (Setting::Create, &table.create),
            (Setting::OutOfOrder, &table.out_of_order),
            (Setting::Strict, &table.strict),
        ] {
            if let Some(value) = value {
                let source = Source::File(self.at(value));
                layer.set(setting, value.as_ref().to_string(), source);
            }
        }
        if let Some(align) = table.lock.as_ref().and_then(|lock| lock.align.as_ref()) {
            let words = match align.as_ref() {
                Words::One(word) => word.clone(),
                Words::Several(words) => words.join(","),
            };
            layer.set(Setting::ForeignLocks, words, Source::File(self.at(align)));
        }
        if let Some(value) = &table.lock_id {
            let source = Source::File(self.at(value));
            layer.set(Setting::LockId, value.as_ref().to_string(), source);
        }
        for (setting, value) in [
            (Setting::Dir, &table.dir),
            (Setting::PasswordFile, &table.password_file),
        ] {
            if let Some(value) = value {
                // A path in the file is meant from where the file is.
                let folder = self.path.parent().unwrap_or(Path::new(""));
                let path = folder.join(value.as_ref());
                let source = Source::File(self.at(value));
                layer.set(setting, path.to_string_lossy(), source);
            }
        }
        layer
    }

    fn at<T>(&self, value: &Spanned<T>) -> Location {
        place(&self.path, &self.text, Some(value.span().start))
    }
}

/// A byte of the file as a line and a column. The line's text stays out where it holds a secret.
fn place(path: &Path, text: &str, byte: Option<usize>) -> Location {
    let file = path.display().to_string();
    let Some(before) = byte.and_then(|byte| text.get(..byte)) else {
        return Location::file(file);
    };
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let line = count(before.matches('\n').count() + 1);
    let column = count(before[start..].chars().count() + 1);
    let location = Location::at(file, line, column);
    let line_text = text[start..].lines().next().unwrap_or_default();
    if redact(line_text) == line_text {
        location.with_line_text(line_text)
    } else {
        location
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ConfigFile> {
        ConfigFile::parse(Path::new("conf/lockage.toml"), text.to_owned())
    }

    #[test]
    fn an_unknown_key_is_told_with_its_place() {
        let error = parse("url = \"sqlite:a.db\"\n  lock_id = 1\n")
            .err()
            .unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(
            error.message().contains("unknown field `lock_id`"),
            "{error}"
        );
        let location = error.location().unwrap();
        assert_eq!((location.line, location.column), (Some(2), Some(3)));
        assert_eq!(location.line_text.as_deref(), Some("  lock_id = 1"));
    }

    #[test]
    fn a_line_with_a_password_is_not_shown() {
        for text in [
            "password = \"hunter2\"\n",
            "url = \"postgres://app:hunter2@db/shop\n",
            "lock-id = \"postgres://app:hunter2@db/shop\"\n",
            "[env.a]\nurl = 'postgres://app:hunter2@db' x\n",
        ] {
            let error = parse(text).err().unwrap();
            let shown = format!("{error} {error:?} {:?}", error.location());
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(error.location().unwrap().line.is_some());
        }
    }

    #[test]
    fn an_unknown_environment_lists_the_known_ones() {
        let file = parse("[env.dev]\nwait = \"1s\"\n[env.prod]\n").unwrap();
        assert!(file.env("dev").is_ok());
        let error = file.env("test").err().unwrap();
        assert!(error.message().contains("no table [env.test]"));
        assert_eq!(error.hint(), Some("it has dev, prod"));
        let nested = parse("[env.dev.env.more]\n").err().unwrap();
        assert!(nested.message().contains("no [env.NAME] tables in it"));
    }

    #[test]
    fn a_path_is_meant_from_where_the_file_is() {
        let layer = parse("dir = \"sql\"\nstrict = true\nlock-id = 7\n")
            .unwrap()
            .common();
        let dir = Path::new("conf").join("sql");
        assert_eq!(layer.get(Setting::Dir).unwrap().text, dir.to_string_lossy());
        assert_eq!(layer.get(Setting::Strict).unwrap().text, "true");
        assert_eq!(layer.get(Setting::LockId).unwrap().text, "7");
    }
}
