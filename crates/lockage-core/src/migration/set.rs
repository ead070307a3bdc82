use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::file_name::{self, NAMING_RULE};
use super::folder;
use super::kind::Kind;
use super::migration_file::Migration;
use super::scan::Scan;
use super::script::{Script, read_error};
use super::version::Version;
use crate::{Error, ErrorKind, Location, Result};

/// A migration file that the embed macro included in the program.
#[derive(Debug, Clone, Copy)]
pub struct EmbeddedFile {
    /// The path relative to the folder, with `/` as separator.
    pub path: &'static str,
    /// The content.
    pub text: &'static str,
}

/// The migrations of a service: checked, without duplicates, and sorted. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct MigrationSet {
    migrations: Arc<Vec<Arc<Migration>>>,
}

impl MigrationSet {
    /// Loads a folder and its subfolders. Files that do not end in `.sql` are ignored. A `.sql` file with an invalid name is an
    /// error.
    ///
    /// # Errors
    /// - [`ErrorKind::InvalidConfig`] for a folder that is missing, unreadable or without migrations.
    /// - [`ErrorKind::InvalidMigration`] for invalid files. The first is the error; the others are [`Error::related`].
    pub fn from_folder(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let (files, errors) = folder::sql_files(path)?;
        if files.is_empty() && errors.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                format!("the folder {} has no migrations", path.display()),
            )
            .with_hint(format!("create one with `lockage new NAME`; {NAMING_RULE}")));
        }
        Self::from_files(
            files
                .into_iter()
                .map(|file| (file.display().to_string(), Script::File(file))),
            errors,
        )
    }

    /// Loads the files that the embed macro included in the program.
    ///
    /// # Errors
    /// As [`from_folder`](Self::from_folder). The macro makes the same checks at compile time.
    pub fn from_embedded(files: &'static [EmbeddedFile]) -> Result<Self> {
        Self::from_files(
            files
                .iter()
                .map(|file| (file.path.to_owned(), Script::Text(Cow::Borrowed(file.text)))),
            Vec::new(),
        )
    }

    /// Creates a set from file names and texts, for tests and for programs that generate their migrations.
    ///
    /// # Errors
    /// As [`from_folder`](Self::from_folder).
    pub fn from_texts(
        files: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> Result<Self> {
        Self::from_files(
            files
                .into_iter()
                .map(|(name, text)| (name.into(), Script::Text(Cow::Owned(text.into())))),
            Vec::new(),
        )
    }

    /// Renders every script with `render`, for example to insert the name of a schema.
    ///
    /// Names, directives and checksums, and so the rows of the history, stay those of the templates. If `render` keeps the
    /// lines, positions in messages are correct.
    ///
    /// # Errors
    /// The error of `render`, or [`ErrorKind::InvalidMigration`] for a file that can no longer be read.
    pub fn render(&self, render: impl Fn(&str) -> Result<String>) -> Result<Self> {
        let render_one = |migration: &Arc<Migration>| {
            let mut text = String::new();
            migration
                .open()?
                .read_to_string(&mut text)
                .map_err(|error| read_error(&migration.file, error))?;
            let mut rendered = Migration::clone(migration);
            rendered.script = Script::Rendered(render(&text)?);
            Ok(Arc::new(rendered))
        };
        Ok(Self {
            migrations: Arc::new(self.iter().map(render_one).collect::<Result<_>>()?),
        })
    }

    /// Returns all migrations: versioned, baseline and undo scripts by version, then repeatable ones by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Migration>> {
        self.migrations.iter()
    }

    /// Returns the migrations of one kind, in order.
    pub fn iter_kind(&self, kind: Kind) -> impl Iterator<Item = &Arc<Migration>> {
        self.iter().filter(move |migration| migration.kind == kind)
    }

    /// Returns the migration of a kind and a version.
    pub fn find(&self, kind: Kind, version: &Version) -> Option<&Arc<Migration>> {
        self.iter_kind(kind)
            .find(|migration| migration.version.as_ref() == Some(version))
    }

    fn from_files(
        files: impl Iterator<Item = (String, Script)>,
        mut errors: Vec<Error>,
    ) -> Result<Self> {
        let mut migrations = Vec::new();
        for (file, script) in files {
            match read_migration(file, script) {
                Ok(migration) => migrations.push(Arc::new(migration)),
                Err(error) => errors.push(error),
            }
        }
        migrations.sort_by(|a, b| {
            (a.version.is_none(), &a.version, a.kind, &a.name).cmp(&(
                b.version.is_none(),
                &b.version,
                b.kind,
                &b.name,
            ))
        });
        errors.extend(duplicate_errors(&migrations));
        match Error::combine(errors) {
            Some(error) => Err(error),
            None => Ok(Self {
                migrations: Arc::new(migrations),
            }),
        }
    }
}

fn duplicate_errors(migrations: &[Arc<Migration>]) -> Vec<Error> {
    let mut seen: HashMap<_, &Migration> = HashMap::new();
    let mut errors = Vec::new();
    for migration in migrations {
        let name = migration
            .version
            .is_none()
            .then_some(migration.name.as_str());
        if let Some(first) = seen.insert(
            (migration.kind, migration.version.as_ref(), name),
            migration,
        ) {
            let what = match &migration.version {
                Some(version) => format!("version {version}"),
                None => format!("the name `{}`", migration.name),
            };
            errors.push(
                Error::new(
                    ErrorKind::InvalidMigration,
                    format!(
                        "{} and {} are both {} migrations with {what}",
                        first.file, migration.file, migration.kind
                    ),
                )
                .with_location(Location::file(&migration.file))
                .with_hint("rename one of the two files"),
            );
        }
    }
    errors
}

/// Reads a script once and determines its directives, its encoding and its checksum. Keeps only one buffer of it in memory.
fn read_migration(file: String, script: Script) -> Result<Migration> {
    let base = file.rsplit(['/', '\\']).next().unwrap_or(&file);
    let name = file_name::parse(base).map_err(|message| {
        Error::new(ErrorKind::InvalidMigration, message)
            .with_location(Location::file(&file))
            .with_hint(NAMING_RULE)
    })?;
    let mut reader = script.open(&file, None)?;
    let mut scan = Scan::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let n = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(read_error(&file, error)),
        };
        scan.update(&buffer[..n])
            .map_err(|error| error.with_position(&file))?;
    }
    let (directives, checksum, has_body) =
        scan.finish().map_err(|error| error.with_position(&file))?;
    Ok(Migration {
        kind: name.kind,
        version: name.version,
        name: name.name,
        file,
        checksum,
        directives,
        is_empty: !has_body,
        script,
        row_key: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(set: &MigrationSet) -> Vec<String> {
        set.iter().map(|m| m.key()).collect()
    }

    #[test]
    fn set_is_sorted_by_version_then_name() {
        let set = MigrationSet::from_texts([
            ("R__b.sql", ""),
            ("V10__x.sql", ""),
            ("R__a.sql", ""),
            ("sub/V9__y.sql", ""),
            ("U9__y.sql", ""),
        ])
        .unwrap();
        assert_eq!(keys(&set), ["9", "9", "10", "R:a", "R:b"]);
        assert_eq!(set.iter_kind(Kind::Versioned).count(), 2);
    }

    #[test]
    fn all_invalid_files_are_reported() {
        let error = MigrationSet::from_texts([
            ("V1__a.sql", "-- lockage: what"),
            ("one.sql", ""),
            ("V2__a.sql", ""),
            ("V02__b.sql", ""),
        ])
        .unwrap_err();
        let all: Vec<_> = std::iter::once(&error)
            .chain(error.related())
            .map(ToString::to_string)
            .collect();
        assert_eq!(all.len(), 3, "{all:?}");
        assert!(
            all[0].starts_with("V1__a.sql:1:1: unknown directive `what`"),
            "{all:?}"
        );
        assert!(
            all[1].contains("does not begin with V, U, R or B"),
            "{all:?}"
        );
        assert!(
            all[2]
                .contains("V2__a.sql and V02__b.sql are both versioned migrations with version 02"),
            "{all:?}"
        );
    }

    #[test]
    fn invalid_utf8_is_reported_with_byte_offset() {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = vec![b'a'; 70_000];
        bytes.extend_from_slice(b"\xC3\xA9 \xFF");
        std::fs::write(folder.path().join("V1__a.sql"), &bytes).unwrap();
        let error = MigrationSet::from_folder(folder.path()).unwrap_err();
        assert!(error.message().contains("byte 70003 "), "{error}");
        bytes[65_600] = 0;
        std::fs::write(folder.path().join("V1__a.sql"), &bytes[..70_000]).unwrap();
        let error = MigrationSet::from_folder(folder.path()).unwrap_err();
        assert!(error.message().contains("byte 65600 is zero"), "{error}");
        std::fs::write(folder.path().join("V1__a.sql"), b"abc\xC3").unwrap();
        let error = MigrationSet::from_folder(folder.path()).unwrap_err();
        assert!(error.message().contains("byte 3 "), "{error}");
    }

    #[test]
    fn utf16_is_named_as_the_cause() {
        let folder = tempfile::tempdir().unwrap();
        let units: Vec<u16> = "SELECT 1;".encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for text in [
            [&b"\xFF\xFE"[..], &little].concat(),
            [&b"\xFE\xFF"[..], &big].concat(),
            little,
            big,
        ] {
            std::fs::write(folder.path().join("V1__a.sql"), &text).unwrap();
            let error = MigrationSet::from_folder(folder.path()).unwrap_err();
            assert_eq!(error.message(), "the file is in UTF-16, not in UTF-8");
            assert_eq!(error.kind(), ErrorKind::InvalidMigration);
        }
    }

    #[test]
    fn file_of_another_tool_is_refused_with_its_name() {
        for (tool, text) in [
            (
                "dbmate",
                "-- migrate:up\nCREATE TABLE a (id int);\n\n-- migrate:down\nDROP TABLE a;\n",
            ),
            (
                "dbmate",
                "-- migrate:up\nSELECT 1;\n--  MIGRATE:down transaction:false\nSELECT 2;",
            ),
            (
                "goose",
                "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;\n",
            ),
            ("sql-migrate", "-- +migrate Up\nSELECT 1;\n-- +migrate Down"),
            (
                "Liquibase",
                "\u{FEFF}--liquibase formatted sql\n--changeset a:1\nSELECT 1;",
            ),
            ("MyBatis Migrations", "SELECT 1;\r\n-- //@UNDO\r\nSELECT 2;"),
        ] {
            let error = MigrationSet::from_texts([("V1__a.sql", text)]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidMigration);
            assert!(
                error.message().contains(&format!("migration of {tool} ")),
                "{error}"
            );
            assert!(error.location().unwrap().line.is_some());
            assert!(error.hint().unwrap().contains("U<version>"), "{error:?}");
        }
        for text in [
            "-- migrate:upgrade",
            "-- we goose down",
            "SELECT '+goose Down';",
        ] {
            assert!(
                MigrationSet::from_texts([("V1__a.sql", text)]).is_ok(),
                "{text}"
            );
        }
    }

    #[test]
    fn script_of_comments_only_is_empty() {
        for (text, empty) in [
            ("", true),
            ("-- a\n\n/* b\n c */ -- d\n", true),
            ("\u{FEFF}\r\n-- lockage: no-transaction\r\n", true),
            ("-- a\nSELECT 1;", false),
            ("/*! SELECT 1 */", false),
            ("/* a */ SELECT 1;", false),
        ] {
            let set = MigrationSet::from_texts([("V1__a.sql", text)]).unwrap();
            assert_eq!(set.iter().next().unwrap().is_empty(), empty, "{text}");
        }
    }

    #[test]
    fn directives_are_read_after_byte_order_mark_and_with_crlf() {
        let set = MigrationSet::from_texts([(
            "V1__a.sql",
            "\u{FEFF}-- lockage: no-transaction\r\nSELECT 1;\r\n",
        )])
        .unwrap();
        assert!(!set.iter().next().unwrap().directives().transaction);
        let set = MigrationSet::from_texts([("V1__a.sql", "-- lockage: no-transaction")]).unwrap();
        assert!(!set.iter().next().unwrap().directives().transaction);
    }

    #[test]
    fn rendered_script_keeps_checksum_of_template() {
        let set = MigrationSet::from_texts([("V1__a.sql", "CREATE TABLE {s}.a (n int);")]).unwrap();
        let rendered = set.render(|text| Ok(text.replace("{s}", "x"))).unwrap();
        let (before, after) = (set.iter().next().unwrap(), rendered.iter().next().unwrap());
        assert_eq!(before.checksum(), after.checksum());
        let mut text = String::new();
        after.open().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "CREATE TABLE x.a (n int);");
        let failed = set.render(|_| Err(Error::new(ErrorKind::InvalidConfig, "no")));
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::InvalidConfig);
    }

    #[test]
    fn subfolders_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let empty = MigrationSet::from_folder(folder.path()).unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::InvalidConfig);
        assert!(empty.message().contains("has no migrations"));
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        std::fs::write(folder.path().join("sub/V2__b.sql"), "").unwrap();
        std::fs::write(folder.path().join("V1__a.sql"), "").unwrap();
        std::fs::write(folder.path().join("README.md"), "").unwrap();
        assert_eq!(
            keys(&MigrationSet::from_folder(folder.path()).unwrap()),
            ["1", "2"]
        );
        let missing = MigrationSet::from_folder(folder.path().join("absent")).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::InvalidConfig);
        assert!(missing.message().contains("absent"));
    }
}
