//! The configuration file `lockage.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lockage::redact::mask_secrets;
use lockage::{Error, ErrorKind, Location, Result};
use serde::Deserialize;
use toml::Spanned;

use super::layer::{SettingsLayer, ValueSource};
use super::setting::Setting;

/// The file that is read if no other is named.
const DEFAULT_FILE: &str = "lockage.toml";

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
    expecting = "a table with `id` or `name` and `align`"
)]
struct LockTable {
    id: Option<Spanned<i64>>,
    name: Option<Spanned<String>>,
    align: Option<Spanned<StringOrList>>,
}

/// A string or a list of strings.
#[derive(Deserialize)]
#[serde(untagged)]
enum StringOrList {
    String(String),
    List(Vec<String>),
}

/// A parsed configuration file.
pub(super) struct ConfigFile {
    path: PathBuf,
    text: String,
    table: Table,
}

impl ConfigFile {
    /// Reads the named file, or `lockage.toml` in the working directory if it exists.
    pub(super) fn read(named: Option<&Path>) -> Result<Option<Self>> {
        let path = named.unwrap_or(Path::new(DEFAULT_FILE));
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
            let message = mask_secrets(error.message()).into_owned();
            let start = error.span().map(|span| span.start);
            let error = Error::new(ErrorKind::InvalidConfig, &message)
                .with_location(location(path, &text, start));
            if message.contains("unknown field `password`") {
                error.with_hint(
                    "set the password with LOCKAGE_PASSWORD, or its file with password-file",
                )
            } else {
                error
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
                "an [env.NAME] table must not contain [env.NAME] tables",
            )
            .with_location(file.position(nested)));
        }
        Ok(file)
    }

    /// Returns the settings outside the `[env.NAME]` tables.
    pub(super) fn common(&self) -> SettingsLayer {
        self.layer(&self.table)
    }

    /// Returns the settings of one `[env.NAME]` table.
    pub(super) fn env(&self, name: &str) -> Result<SettingsLayer> {
        let table = self.table.env.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.table.env.keys().map(String::as_str).collect();
            let hint = if known.is_empty() {
                format!("add a table [env.{name}]")
            } else {
                format!("use one of: {}", known.join(", "))
            };
            Error::new(
                ErrorKind::InvalidConfig,
                format!("{} has no table [env.{name}]", self.path.display()),
            )
            .with_hint(hint)
        })?;
        Ok(self.layer(table.as_ref()))
    }

    fn layer(&self, table: &Table) -> SettingsLayer {
        let mut layer = SettingsLayer::default();
        for (setting, value) in [
            (Setting::Url, &table.url),
            (Setting::Schema, &table.schema),
            (Setting::LockName, &table.lock_name),
            (Setting::LockStrategy, &table.lock_strategy),
            (Setting::Wait, &table.wait),
            (Setting::ConnectTimeout, &table.connect_timeout),
            (Setting::DdlLockTimeout, &table.ddl_lock_timeout),
            (Setting::StatementTimeout, &table.statement_timeout),
        ] {
            self.add(&mut layer, setting, value.as_ref(), String::clone);
        }
        for (setting, value) in [
            (Setting::Create, &table.create),
            (Setting::OutOfOrder, &table.out_of_order),
            (Setting::Strict, &table.strict),
        ] {
            self.add(&mut layer, setting, value.as_ref(), bool::to_string);
        }
        for (setting, value) in [
            (Setting::Dir, &table.dir),
            (Setting::PasswordFile, &table.password_file),
        ] {
            self.add(&mut layer, setting, value.as_ref(), |path| {
                // A path in the file is relative to the folder of the file.
                let folder = self.path.parent().unwrap_or(Path::new(""));
                folder.join(path).to_string_lossy().into_owned()
            });
        }
        let lock = table.lock.as_ref();
        let lock_id = table.lock_id.as_ref();
        let lock_id = lock_id.or_else(|| lock.and_then(|lock| lock.id.as_ref()));
        self.add(&mut layer, Setting::LockId, lock_id, i64::to_string);
        if table.lock_name.is_none() {
            let name = lock.and_then(|lock| lock.name.as_ref());
            self.add(&mut layer, Setting::LockName, name, String::clone);
        }
        let align = table.lock.as_ref().and_then(|lock| lock.align.as_ref());
        self.add(
            &mut layer,
            Setting::ForeignLocks,
            align,
            |align| match align {
                StringOrList::String(word) => word.clone(),
                StringOrList::List(words) => words.join(","),
            },
        );
        layer
    }

    /// Adds the value of a key, if the table has it.
    fn add<T>(
        &self,
        layer: &mut SettingsLayer,
        setting: Setting,
        value: Option<&Spanned<T>>,
        to_text: impl FnOnce(&T) -> String,
    ) {
        if let Some(value) = value {
            let source = ValueSource::File(self.position(value));
            layer.set(setting, to_text(value.as_ref()), source);
        }
    }

    fn position<T>(&self, value: &Spanned<T>) -> Location {
        location(&self.path, &self.text, Some(value.span().start))
    }
}

/// Returns the line and column of a byte. The text of the line is left out if it contains a secret.
fn location(path: &Path, text: &str, byte: Option<usize>) -> Location {
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
    if mask_secrets(line_text) == line_text {
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
    fn unknown_key_is_reported_with_its_position() {
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
    fn line_with_a_password_is_not_shown() {
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
    fn unknown_environment_lists_the_known_ones() {
        let file = parse("[env.dev]\nwait = \"1s\"\n[env.prod]\n").unwrap();
        assert!(file.env("dev").is_ok());
        let error = file.env("test").err().unwrap();
        assert!(error.message().contains("no table [env.test]"));
        assert_eq!(error.hint(), Some("use one of: dev, prod"));
        let nested = parse("[env.dev.env.more]\n").err().unwrap();
        assert!(
            nested
                .message()
                .contains("must not contain [env.NAME] tables")
        );
    }

    #[test]
    fn lock_table_names_the_lock_beside_foreign_locks() {
        let layer = parse("[lock]\nid = 7\nalign = [\"flyway\", \"sqlx\"]\n")
            .unwrap()
            .common();
        assert_eq!(layer.get(Setting::LockId).unwrap().text, "7");
        assert_eq!(
            layer.get(Setting::ForeignLocks).unwrap().text,
            "flyway,sqlx"
        );
        let layer = parse("[env.a.lock]\nname = 'shop'\n")
            .unwrap()
            .env("a")
            .unwrap();
        assert_eq!(layer.get(Setting::LockName).unwrap().text, "shop");
    }

    #[test]
    fn path_is_relative_to_the_configuration_file() {
        let layer = parse("dir = \"sql\"\nstrict = true\nlock-id = 7\n")
            .unwrap()
            .common();
        let dir = Path::new("conf").join("sql");
        assert_eq!(layer.get(Setting::Dir).unwrap().text, dir.to_string_lossy());
        assert_eq!(layer.get(Setting::Strict).unwrap().text, "true");
        assert_eq!(layer.get(Setting::LockId).unwrap().text, "7");
    }
}
