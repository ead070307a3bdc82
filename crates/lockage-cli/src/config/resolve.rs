//! Combines the sources into the settings of a command.

use std::path::{Path, PathBuf};

use lockage::{DatabaseUrl, Error, ErrorKind, LockKey, LockWait, Result};

use super::environment::Environment;
use super::file::ConfigFile;
use super::layer::{SettingValue, SettingsLayer, ValueSource};
use super::setting::Setting;
use super::settings::Settings;
use super::value;

/// Reads all sources and returns the settings. `config` and `env` are the values of the flags `--config` and `--env`.
pub(crate) fn resolve(
    flags: SettingsLayer,
    config: Option<&Path>,
    env: Option<&str>,
    environment: &Environment,
) -> Result<Settings> {
    let dot_env = Environment::from_dotenv(Path::new(".env"))?;
    let config = config
        .map(Path::to_owned)
        .or_else(|| environment.config().map(PathBuf::from))
        .or_else(|| dot_env.config().map(PathBuf::from));
    let file = ConfigFile::read(config.as_deref())?;
    let named = env.or_else(|| environment.env()).or_else(|| dot_env.env());
    let mut sources = SettingSources(vec![
        flags,
        environment.layer(ValueSource::Variable)?,
        dot_env.layer(ValueSource::DotEnv)?,
    ]);
    let mut warnings = Vec::new();
    match (named, &file) {
        (Some(name), Some(file)) => {
            let table = file.env(name)?;
            warnings.extend(sources.url_override_warning(&table, name));
            sources.0.push(table);
        }
        (Some(name), None) => return Err(no_file_for(name)),
        (None, _) => {}
    }
    if let Some(file) = &file {
        sources.0.push(file.common());
    }
    sources.finalize(warnings)
}

fn no_file_for(name: &str) -> Error {
    Error::new(
        ErrorKind::InvalidConfig,
        format!("no lockage.toml defines the environment `{name}`"),
    )
    .with_hint(format!(
        "create lockage.toml with a table [env.{name}], or name the file with --config"
    ))
}

/// The sources in order of precedence, the highest first.
struct SettingSources(Vec<SettingsLayer>);

impl SettingSources {
    /// Returns the value of the first source that has the setting.
    fn get(&self, setting: Setting) -> Option<&SettingValue> {
        self.0.iter().find_map(|layer| layer.get(setting))
    }

    fn parse<T>(
        &self,
        setting: Setting,
        parse: fn(&SettingValue) -> Result<T>,
    ) -> Result<Option<T>> {
        self.get(setting).map(parse).transpose()
    }

    fn finalize(&self, warnings: Vec<String>) -> Result<Settings> {
        let text = |setting| self.get(setting).map(|value| value.text.clone());
        let switch = |setting| Ok::<_, Error>(self.parse(setting, value::switch)?.unwrap_or(false));
        Ok(Settings {
            url: self.url()?,
            schema: self.parse(Setting::Schema, value::name)?,
            connect_timeout: self.parse(Setting::ConnectTimeout, value::duration)?,
            ddl_lock_timeout: self.parse(Setting::DdlLockTimeout, value::duration_or_none)?,
            statement_timeout: self.parse(Setting::StatementTimeout, value::duration_or_none)?,
            lock_strategy: self
                .parse(Setting::LockStrategy, value::lock_strategy)?
                .unwrap_or_default(),
            out_of_order: switch(Setting::OutOfOrder)?,
            strict: switch(Setting::Strict)?,
            dir: text(Setting::Dir).map_or_else(|| PathBuf::from("migrations"), PathBuf::from),
            lock: self.lock()?,
            foreign_locks: self
                .parse(Setting::ForeignLocks, value::foreign_locks)?
                .unwrap_or_default(),
            wait: self
                .parse(Setting::Wait, value::wait)?
                .unwrap_or(LockWait::DEFAULT),
            create: switch(Setting::Create)?,
            warnings,
        })
    }

    /// Returns the lock. Id and name are one setting: a name overrides an id of a source with lower precedence, and vice versa.
    fn lock(&self) -> Result<LockKey> {
        for layer in &self.0 {
            match (layer.get(Setting::LockId), layer.get(Setting::LockName)) {
                (Some(id), Some(name)) => {
                    return Err(name.error(format!(
                        "a lock has an id or a name, not both; {} sets an id",
                        id.source
                    )));
                }
                (Some(id), None) => return value::lock_id(id),
                (None, Some(name)) => return value::lock_name(name),
                (None, None) => {}
            }
        }
        Ok(LockKey::default())
    }

    /// Returns the URL with the separate password, if any.
    ///
    /// A password in a URL of a source with higher precedence stays.
    fn url(&self) -> Result<Option<DatabaseUrl>> {
        let rank = |setting| self.0.iter().position(|layer| layer.get(setting).is_some());
        let (Some(url), Some(url_rank)) = (self.get(Setting::Url), rank(Setting::Url)) else {
            return Ok(None);
        };
        let url = value::url(url)?;
        let separate = [Setting::Password, Setting::PasswordFile]
            .into_iter()
            .filter_map(|setting| Some((rank(setting)?, setting)))
            .min_by_key(|(rank, _)| *rank);
        let has_password = url.to_string() != url.as_secret_str();
        match separate {
            Some((rank, setting)) if rank <= url_rank || !has_password => {
                let password = self.get(setting).map(|value| password(setting, value));
                Ok(Some(match password.transpose()? {
                    Some(password) => url.with_password(&password),
                    None => url,
                }))
            }
            _ => Ok(Some(url)),
        }
    }

    /// Returns a warning if a variable overrides the URL of a named environment, which the user may not expect.
    fn url_override_warning(&self, table: &SettingsLayer, name: &str) -> Option<String> {
        let (url, _) = (self.get(Setting::Url)?, table.get(Setting::Url)?);
        match url.source {
            ValueSource::Flag(_) => None,
            _ => Some(format!("{} overrides the url of [env.{name}]", url.source)),
        }
    }
}

/// Returns the password itself, or the first line of the password file.
fn password(setting: Setting, value: &SettingValue) -> Result<String> {
    if setting == Setting::Password {
        return Ok(value.text.clone());
    }
    let text = std::fs::read_to_string(&value.text).map_err(|error| {
        value
            .error(format!("cannot read the password file {}", value.text))
            .with_source(error)
    })?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn flags(pairs: &[(Setting, &str)]) -> SettingsLayer {
        let mut layer = SettingsLayer::default();
        for (setting, text) in pairs {
            layer.flag(*setting, Some(text));
        }
        layer
    }

    fn variables(pairs: &[(&str, &str)]) -> SettingsLayer {
        Environment::from_pairs(pairs)
            .layer(ValueSource::Variable)
            .unwrap()
    }

    fn finalize(sources: Vec<SettingsLayer>) -> Result<Settings> {
        SettingSources(sources).finalize(Vec::new())
    }

    fn url(settings: &Settings) -> &str {
        settings.url().unwrap().as_secret_str()
    }

    #[test]
    fn highest_precedence_source_wins() {
        let all = [
            flags(&[(Setting::Dir, "flag")]),
            variables(&[("LOCKAGE_DIR", "variable"), ("LOCKAGE_WAIT", "2s")]),
            variables(&[("LOCKAGE_DIR", "env-file"), ("LOCKAGE_WAIT", "nonsense")]),
            flags(&[(Setting::Dir, "file"), (Setting::Schema, "s")]),
        ];
        for (from, dir) in ["flag", "variable", "env-file", "file"].iter().enumerate() {
            let mut sources = all[from..].to_vec();
            if from == 2 {
                // The invalid value has the highest precedence now.
                let error = finalize(sources.clone()).err().unwrap();
                assert_eq!(
                    error.message(),
                    "LOCKAGE_WAIT: `nonsense` is not a duration"
                );
                sources.insert(0, flags(&[(Setting::Wait, "no")]));
            }
            let settings = finalize(sources).unwrap();
            assert_eq!(settings.dir, Path::new(dir));
            assert_eq!(settings.schema.as_deref(), Some("s"));
        }
        let settings = finalize(all.to_vec()).unwrap();
        assert_eq!(settings.wait, LockWait::For(Duration::from_secs(2)));
    }

    #[test]
    fn unset_settings_use_defaults() {
        let settings = finalize(vec![SettingsLayer::default()]).unwrap();
        assert_eq!(settings.dir, Path::new("migrations"));
        assert_eq!(settings.lock, LockKey::id(4006));
        assert_eq!(settings.wait, LockWait::DEFAULT);
        assert!(!settings.create && !settings.strict && !settings.out_of_order);
        let error = settings.connect_options().unwrap_err();
        assert!(error.hint().unwrap().contains("DATABASE_URL"));
    }

    #[test]
    fn lock_name_overrides_lock_id() {
        let id = variables(&[("LOCKAGE_LOCK_ID", "7")]);
        let name = flags(&[(Setting::LockName, "shop")]);
        let settings = finalize(vec![name, id.clone()]).unwrap();
        assert_eq!(settings.lock, LockKey::named("shop").unwrap());
        assert_eq!(finalize(vec![id]).unwrap().lock, LockKey::id(7));
        let both = variables(&[("LOCKAGE_LOCK_ID", "7"), ("LOCKAGE_LOCK_NAME", "shop")]);
        let error = finalize(vec![both]).err().unwrap();
        assert!(error.message().contains("LOCKAGE_LOCK_ID sets an id"));
    }

    #[test]
    fn separate_password_is_used_unless_a_url_of_higher_precedence_has_one() {
        let password = variables(&[
            ("LOCKAGE_PASSWORD", "p@ss"),
            ("DATABASE_URL", "postgres://app:old@db/shop"),
        ]);
        let settings = finalize(vec![password.clone()]).unwrap();
        assert_eq!(url(&settings), "postgres://app:p%40ss@db/shop");
        let without_password = flags(&[(Setting::Url, "postgres://app@db/shop")]);
        let settings = finalize(vec![without_password, password.clone()]).unwrap();
        assert_eq!(url(&settings), "postgres://app:p%40ss@db/shop");
        let with_password = flags(&[(Setting::Url, "postgres://app:mine@db/shop")]);
        let settings = finalize(vec![with_password, password]).unwrap();
        assert_eq!(url(&settings), "postgres://app:mine@db/shop");
    }

    #[test]
    fn password_file_is_read_up_to_its_first_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "p w\r\n").unwrap();
        let layer = flags(&[
            (Setting::Url, "postgres://app@db/shop"),
            (Setting::PasswordFile, path.to_str().unwrap()),
        ]);
        let settings = finalize(vec![layer]).unwrap();
        assert_eq!(url(&settings), "postgres://app:p%20w@db/shop");
        let layer = flags(&[
            (Setting::Url, "postgres://app@db/shop"),
            (Setting::PasswordFile, "/nowhere/at/all"),
        ]);
        let error = finalize(vec![layer]).err().unwrap();
        assert!(
            error.message().contains("--password-file: cannot read"),
            "{error}"
        );
    }

    #[test]
    fn url_without_scheme_is_reported_with_its_source_and_not_shown() {
        let layer = variables(&[("DATABASE_URL", "hunter2")]);
        let error = finalize(vec![layer]).err().unwrap();
        assert!(error.message().starts_with("DATABASE_URL: "), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn variable_that_overrides_a_named_environment_warns() {
        let table = flags(&[(Setting::Url, "sqlite:prod.db")]);
        let variable = variables(&[("DATABASE_URL", "sqlite:dev.db")]);
        let warning = SettingSources(vec![variable]).url_override_warning(&table, "prod");
        assert_eq!(
            warning.as_deref(),
            Some("DATABASE_URL overrides the url of [env.prod]")
        );
        let flag = flags(&[(Setting::Url, "sqlite:dev.db")]);
        let sources = SettingSources(vec![flag]);
        assert!(sources.url_override_warning(&table, "prod").is_none());
    }
}
