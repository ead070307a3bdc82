//! Lays the places over each other.

use std::path::{Path, PathBuf};

use lockage::{DatabaseUrl, Error, ErrorKind, LockKey, LockWait, Result};

use super::file::ConfigFile;
use super::layer::{Given, Layer, Source};
use super::{Environment, Setting, Settings, value};

/// Reads every place and settles what counts. `config` and `env` are the flags of those names.
pub(crate) fn resolve(
    flags: Layer,
    config: Option<&Path>,
    env: Option<&str>,
    environment: &Environment,
) -> Result<Settings> {
    let dot_env = Environment::of_file(Path::new(".env"))?;
    let config = config
        .map(Path::to_owned)
        .or_else(|| environment.config().map(PathBuf::from))
        .or_else(|| dot_env.config().map(PathBuf::from));
    let file = ConfigFile::read(config.as_deref())?;
    let named = env.or_else(|| environment.env()).or_else(|| dot_env.env());
    let mut places = Places(vec![
        flags,
        environment.layer(Source::Variable)?,
        dot_env.layer(Source::DotEnv)?,
    ]);
    let mut warnings = Vec::new();
    match (named, &file) {
        (Some(name), Some(file)) => {
            let table = file.env(name)?;
            warnings.extend(places.overruled_url(&table, name));
            places.0.push(table);
        }
        (Some(name), None) => return Err(no_file_for(name)),
        (None, _) => {}
    }
    if let Some(file) = &file {
        places.0.push(file.common());
    }
    places.settle(warnings)
}

fn no_file_for(name: &str) -> Error {
    Error::new(
        ErrorKind::InvalidConfig,
        format!("the environment `{name}` is asked for, and there is no lockage.toml"),
    )
    .with_hint(format!(
        "write lockage.toml with a table [env.{name}], or name the file with --config"
    ))
}

/// The places, the strongest first.
struct Places(Vec<Layer>);

impl Places {
    fn get(&self, setting: Setting) -> Option<&Given> {
        self.0.iter().find_map(|layer| layer.get(setting))
    }

    fn read<T>(&self, setting: Setting, read: fn(&Given) -> Result<T>) -> Result<Option<T>> {
        self.get(setting).map(read).transpose()
    }

    fn settle(&self, warnings: Vec<String>) -> Result<Settings> {
        let text = |setting| self.get(setting).map(|given| given.text.clone());
        let switch = |setting| Ok::<_, Error>(self.read(setting, value::switch)?.unwrap_or(false));
        Ok(Settings {
            url: self.url()?,
            schema: self.read(Setting::Schema, value::name)?,
            connect_timeout: self.read(Setting::ConnectTimeout, value::duration)?,
            ddl_lock_timeout: self.read(Setting::DdlLockTimeout, value::limit)?,
            statement_timeout: self.read(Setting::StatementTimeout, value::limit)?,
            lock_strategy: self
                .read(Setting::LockStrategy, value::lock_strategy)?
                .unwrap_or_default(),
            out_of_order: switch(Setting::OutOfOrder)?,
            strict: switch(Setting::Strict)?,
            dir: text(Setting::Dir).map_or_else(|| PathBuf::from("migrations"), PathBuf::from),
            lock: self.lock()?,
            align: self.read(Setting::ForeignLocks, value::align)?.unwrap_or_default(),
            wait: self
                .read(Setting::Wait, value::wait)?
                .unwrap_or(LockWait::DEFAULT),
            create: switch(Setting::Create)?,
            warnings,
        })
    }

    /// The lock is one setting with two spellings: a name in a stronger place overrules an id in a weaker one.
    fn lock(&self) -> Result<LockKey> {
        for layer in &self.0 {
            match (layer.get(Setting::LockId), layer.get(Setting::LockName)) {
                (Some(id), Some(name)) => {
                    return Err(name.wrong(format!(
                        "a lock has an id or a name, not both; {} gives an id",
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

    /// The URL, with the password that is given apart from it; one in a URL of a stronger place stays.
    fn url(&self) -> Result<Option<DatabaseUrl>> {
        let place = |setting| self.0.iter().position(|layer| layer.get(setting).is_some());
        let (Some(given), Some(of_url)) = (self.get(Setting::Url), place(Setting::Url)) else {
            return Ok(None);
        };
        let url = value::url(given)?;
        let of_password = [Setting::Password, Setting::PasswordFile]
            .into_iter()
            .filter_map(|setting| Some((place(setting)?, setting)))
            .min_by_key(|(place, _)| *place);
        let has_one = url.to_string() != url.expose();
        match of_password {
            Some((place, setting)) if place <= of_url || !has_one => {
                let password = self.get(setting).map(|given| password(setting, given));
                Ok(Some(match password.transpose()? {
                    Some(password) => url.with_password(&password),
                    None => url,
                }))
            }
            _ => Ok(Some(url)),
        }
    }

    /// Whoever asks for an environment by name may not think of a variable that is stronger.
    fn overruled_url(&self, table: &Layer, name: &str) -> Option<String> {
        let (given, _) = (self.get(Setting::Url)?, table.get(Setting::Url)?);
        match given.source {
            Source::Flag(_) => None,
            _ => Some(format!(
                "{} is stronger than the url of [env.{name}]",
                given.source
            )),
        }
    }
}

fn password(setting: Setting, given: &Given) -> Result<String> {
    if setting == Setting::Password {
        return Ok(given.text.clone());
    }
    let text = std::fs::read_to_string(&given.text).map_err(|error| {
        given
            .wrong(format!("cannot read the password file {}", given.text))
            .with_source(error)
    })?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn flags(pairs: &[(Setting, &str)]) -> Layer {
        let mut layer = Layer::default();
        for (setting, text) in pairs {
            layer.flag(*setting, Some(text));
        }
        layer
    }

    fn variables(pairs: &[(&str, &str)]) -> Layer {
        Environment::of_pairs(pairs)
            .layer(Source::Variable)
            .unwrap()
    }

    fn settle(places: Vec<Layer>) -> Result<Settings> {
        Places(places).settle(Vec::new())
    }

    fn shown_url(settings: &Settings) -> &str {
        settings.url().unwrap().expose()
    }

    #[test]
    fn the_strongest_place_counts() {
        let all = [
            flags(&[(Setting::Dir, "flag")]),
            variables(&[("LOCKAGE_DIR", "variable"), ("LOCKAGE_WAIT", "2s")]),
            variables(&[("LOCKAGE_DIR", "env-file"), ("LOCKAGE_WAIT", "nonsense")]),
            flags(&[(Setting::Dir, "file"), (Setting::Schema, "s")]),
        ];
        for (from, dir) in ["flag", "variable", "env-file", "file"].iter().enumerate() {
            let mut places = all[from..].to_vec();
            if from == 2 {
                // What is wrong there counts now.
                let error = settle(places.clone()).err().unwrap();
                assert_eq!(error.message(), "LOCKAGE_WAIT: `nonsense` is not a time");
                places.insert(0, flags(&[(Setting::Wait, "no")]));
            }
            let settings = settle(places).unwrap();
            assert_eq!(settings.dir, Path::new(dir));
            assert_eq!(settings.schema.as_deref(), Some("s"));
        }
        let settings = settle(all.to_vec()).unwrap();
        assert_eq!(settings.wait, LockWait::For(Duration::from_secs(2)));
    }

    #[test]
    fn what_nobody_says_is_the_default() {
        let settings = settle(vec![Layer::default()]).unwrap();
        assert_eq!(settings.dir, Path::new("migrations"));
        assert_eq!(settings.lock, LockKey::id(4006));
        assert_eq!(settings.wait, LockWait::DEFAULT);
        assert!(!settings.create && !settings.strict && !settings.out_of_order);
        let error = settings.connect_options().unwrap_err();
        assert!(error.hint().unwrap().contains("DATABASE_URL"));
    }

    #[test]
    fn a_lock_by_name_overrules_one_by_id() {
        let weak = variables(&[("LOCKAGE_LOCK_ID", "7")]);
        let strong = flags(&[(Setting::LockName, "shop")]);
        let settings = settle(vec![strong, weak.clone()]).unwrap();
        assert_eq!(settings.lock, LockKey::named("shop").unwrap());
        assert_eq!(settle(vec![weak]).unwrap().lock, LockKey::id(7));
        let both = variables(&[("LOCKAGE_LOCK_ID", "7"), ("LOCKAGE_LOCK_NAME", "shop")]);
        let error = settle(vec![both]).err().unwrap();
        assert!(error.message().contains("LOCKAGE_LOCK_ID gives an id"));
    }

    #[test]
    fn a_password_comes_from_beside_the_url_unless_a_stronger_url_has_one() {
        let password = variables(&[
            ("LOCKAGE_PASSWORD", "p@ss"),
            ("DATABASE_URL", "postgres://app:old@db/shop"),
        ]);
        let settings = settle(vec![password.clone()]).unwrap();
        assert_eq!(shown_url(&settings), "postgres://app:p%40ss@db/shop");
        let bare = flags(&[(Setting::Url, "postgres://app@db/shop")]);
        let settings = settle(vec![bare, password.clone()]).unwrap();
        assert_eq!(shown_url(&settings), "postgres://app:p%40ss@db/shop");
        let full = flags(&[(Setting::Url, "postgres://app:mine@db/shop")]);
        let settings = settle(vec![full, password]).unwrap();
        assert_eq!(shown_url(&settings), "postgres://app:mine@db/shop");
    }

    #[test]
    fn a_password_file_is_read_up_to_its_first_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "p w\r\n").unwrap();
        let place = flags(&[
            (Setting::Url, "postgres://app@db/shop"),
            (Setting::PasswordFile, path.to_str().unwrap()),
        ]);
        let settings = settle(vec![place]).unwrap();
        assert_eq!(shown_url(&settings), "postgres://app:p%20w@db/shop");
        let place = flags(&[
            (Setting::Url, "postgres://app@db/shop"),
            (Setting::PasswordFile, "/nowhere/at/all"),
        ]);
        let error = settle(vec![place]).err().unwrap();
        assert!(
            error.message().contains("--password-file: cannot read"),
            "{error}"
        );
    }

    #[test]
    fn a_url_without_a_scheme_is_told_with_its_place_and_not_shown() {
        let place = variables(&[("DATABASE_URL", "hunter2")]);
        let error = settle(vec![place]).err().unwrap();
        assert!(error.message().starts_with("DATABASE_URL: "), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn a_variable_that_overrules_a_named_environment_is_told() {
        let table = flags(&[(Setting::Url, "sqlite:prod.db")]);
        let variable = variables(&[("DATABASE_URL", "sqlite:dev.db")]);
        let told = Places(vec![variable]).overruled_url(&table, "prod");
        assert_eq!(
            told.as_deref(),
            Some("DATABASE_URL is stronger than the url of [env.prod]")
        );
        let flag = flags(&[(Setting::Url, "sqlite:dev.db")]);
        assert!(Places(vec![flag]).overruled_url(&table, "prod").is_none());
    }
}
