//! Other tools that migrate the same database, and the locks that keep us out of each other's way.

use std::fmt;
use std::str::FromStr;

use crate::{Error, ErrorKind, Result};

/// A tool that may migrate the same database. What its lock is on an engine is the business of the engine's crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names of the tools say it")]
pub enum Tool {
    Alembic,
    Atlas,
    Dbmate,
    Diesel,
    Django,
    Drizzle,
    Ecto,
    EfCore,
    Evolve,
    Flyway,
    GolangMigrate,
    Goose,
    GraphileMigrate,
    Knex,
    Kysely,
    Liquibase,
    Marten,
    NodePgMigrate,
    Pgroll,
    Prisma,
    Rails,
    Refinery,
    Reshape,
    RusqliteMigration,
    SeaOrm,
    Sqitch,
    Sqlx,
    SqlxMigrator,
    Tern,
    TypeOrm,
    Wolverine,
}

impl Tool {
    /// Every tool, by name.
    pub const ALL: [Self; 31] = [
        Self::Alembic,
        Self::Atlas,
        Self::Dbmate,
        Self::Diesel,
        Self::Django,
        Self::Drizzle,
        Self::Ecto,
        Self::EfCore,
        Self::Evolve,
        Self::Flyway,
        Self::GolangMigrate,
        Self::Goose,
        Self::GraphileMigrate,
        Self::Knex,
        Self::Kysely,
        Self::Liquibase,
        Self::Marten,
        Self::NodePgMigrate,
        Self::Pgroll,
        Self::Prisma,
        Self::Rails,
        Self::Refinery,
        Self::Reshape,
        Self::RusqliteMigration,
        Self::SeaOrm,
        Self::Sqitch,
        Self::Sqlx,
        Self::SqlxMigrator,
        Self::Tern,
        Self::TypeOrm,
        Self::Wolverine,
    ];

    /// Its name in options and outputs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alembic => "alembic",
            Self::Atlas => "atlas",
            Self::Dbmate => "dbmate",
            Self::Diesel => "diesel",
            Self::Django => "django",
            Self::Drizzle => "drizzle",
            Self::Ecto => "ecto",
            Self::EfCore => "ef-core",
            Self::Evolve => "evolve",
            Self::Flyway => "flyway",
            Self::GolangMigrate => "golang-migrate",
            Self::Goose => "goose",
            Self::GraphileMigrate => "graphile-migrate",
            Self::Knex => "knex",
            Self::Kysely => "kysely",
            Self::Liquibase => "liquibase",
            Self::Marten => "marten",
            Self::NodePgMigrate => "node-pg-migrate",
            Self::Pgroll => "pgroll",
            Self::Prisma => "prisma",
            Self::Rails => "rails",
            Self::Refinery => "refinery",
            Self::Reshape => "reshape",
            Self::RusqliteMigration => "rusqlite_migration",
            Self::SeaOrm => "sea-orm",
            Self::Sqitch => "sqitch",
            Self::Sqlx => "sqlx",
            Self::SqlxMigrator => "sqlx_migrator",
            Self::Tern => "tern",
            Self::TypeOrm => "typeorm",
            Self::Wolverine => "wolverine",
        }
    }

    /// Why there is nothing to take, whatever the engine, or nothing that could be taken safely.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] with the reason.
    pub fn has_lock(self) -> Result<()> {
        match self {
            Self::Alembic
            | Self::Dbmate
            | Self::Diesel
            | Self::Django
            | Self::Drizzle
            | Self::Refinery
            | Self::RusqliteMigration
            | Self::SeaOrm
            | Self::TypeOrm => Err(self.refused("it takes no lock when it migrates")),
            Self::Knex | Self::Liquibase => Err(self.refused(
                "its lock is a row that stays when whoever wrote it dies, so a run of ours that is killed would keep it out for ever",
            )),
            _ => Ok(()),
        }
    }

    /// The error that its lock cannot be taken.
    pub fn refused(self, reason: &str) -> Error {
        Error::new(
            ErrorKind::Unsupported,
            format!("the lock of {self} cannot be taken: {reason}"),
        )
        .with_hint(format!(
            "leave {self} out of --align, and do not run it while Lockage migrates"
        ))
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Tool {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|tool| tool.name() == text)
            .ok_or_else(|| {
                let names: Vec<_> = Self::ALL.iter().map(|tool| tool.name()).collect();
                Error::new(
                    ErrorKind::InvalidConfig,
                    format!("`{text}` is no tool whose lock is known"),
                )
                .with_hint(format!(
                    "write auto, lock:<the engine's own number or name of a lock>, or one of {}",
                    names.join(", ")
                ))
            })
    }
}

/// Whose lock is to be taken besides our own.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForeignLock {
    /// A tool's, with its defaults.
    Tool(Tool),
    /// A lock by the engine's own number or name: of a tool that is set up otherwise, or that is not known here.
    Lock(String),
}

/// Reads a tool's name, or `lock:` and the engine's own number or name of a lock.
impl FromStr for ForeignLock {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.strip_prefix("lock:") {
            Some(lock) if !lock.trim().is_empty() => Ok(Self::Lock(lock.trim().to_owned())),
            _ => text.parse().map(Self::Tool),
        }
    }
}

/// Which neighbours' locks a run takes besides its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForeignLocks {
    auto: bool,
    named: Vec<ForeignLock>,
}

impl ForeignLocks {
    /// Nobody's.
    pub fn none() -> Self {
        Self::default()
    }

    /// Those of the tools whose history tables stand in the database when the run begins.
    pub fn auto() -> Self {
        Self {
            auto: true,
            named: Vec::new(),
        }
    }

    /// The same, and one more.
    #[must_use]
    pub fn with(mut self, neighbour: ForeignLock) -> Self {
        if !self.named.contains(&neighbour) {
            self.named.push(neighbour);
        }
        self
    }

    /// Reads words: `auto`, tools, and `lock:` with the engine's own number or name of a lock.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`] for a tool that is not known, with those that are.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut align = Self::none();
        for word in words
            .into_iter()
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            match word {
                "auto" => align.auto = true,
                word => align = align.with(word.parse()?),
            }
        }
        Ok(align)
    }

    /// Whether the database is looked through for neighbours.
    pub fn is_auto(&self) -> bool {
        self.auto
    }

    /// Those that are named.
    pub fn named(&self) -> &[ForeignLock] {
        &self.named
    }

    /// Whether no lock but our own is taken.
    pub fn is_none(&self) -> bool {
        !self.auto && self.named.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_found_by_its_name() {
        for tool in Tool::ALL {
            assert_eq!(tool.name().parse::<Tool>().unwrap(), tool);
        }
        let error = "flywheel".parse::<Tool>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.hint().unwrap().contains("ef-core, evolve, flyway, "));
    }

    #[test]
    fn an_alignment_is_read_from_words() {
        let align = ForeignLocks::parse(["sqlx", " lock: 42 ", "", "sqlx", "auto"]).unwrap();
        assert!(align.is_auto() && !align.is_none());
        assert_eq!(
            align.named(),
            [
                ForeignLock::Tool(Tool::Sqlx),
                ForeignLock::Lock("42".into())
            ]
        );
        assert!(ForeignLocks::parse(["lock:"]).is_err());
        assert!(ForeignLocks::parse([]).unwrap().is_none());
    }

    #[test]
    fn what_takes_no_lock_says_so() {
        let error = Tool::Dbmate.has_lock().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(
            error
                .message()
                .contains("dbmate cannot be taken: it takes no lock")
        );
        assert!(
            Tool::Liquibase
                .has_lock()
                .unwrap_err()
                .message()
                .contains("row that stays")
        );
        assert!(Tool::Sqlx.has_lock().is_ok());
    }
}
