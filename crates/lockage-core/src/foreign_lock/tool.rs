use std::fmt;
use std::str::FromStr;

use crate::{Error, ErrorKind, Result};

/// A tool that may migrate the same database. The crate of an engine knows the tool's lock on that engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant is the name of a tool")]
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
    /// All tools, sorted by name.
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

    /// Returns the name in options and outputs.
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

    /// Checks that the tool has a lock that another client can acquire safely, on some engine.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] with the reason if it has none.
    pub fn check_lockable(self) -> Result<()> {
        match self {
            Self::Alembic
            | Self::Dbmate
            | Self::Diesel
            | Self::Django
            | Self::Drizzle
            | Self::Refinery
            | Self::RusqliteMigration
            | Self::SeaOrm
            | Self::TypeOrm => Err(self.unsupported_error("it acquires no lock when it migrates")),
            Self::Knex | Self::Liquibase => Err(self.unsupported_error(
                "its lock is a table row without expiry; a killed run would leave it locked",
            )),
            _ => Ok(()),
        }
    }

    /// Returns the error that the tool's lock cannot be acquired, for a backend that does not support it.
    pub fn unsupported_error(self, reason: &str) -> Error {
        Error::new(
            ErrorKind::Unsupported,
            format!("the lock of {self} cannot be acquired: {reason}"),
        )
        .with_hint(format!(
            "remove {self} from --align, and do not run it while Lockage migrates"
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
                    format!("unknown migration tool `{text}`"),
                )
                .with_hint(format!(
                    "use auto, lock:<native number or name of a lock>, or one of {}",
                    names.join(", ")
                ))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tool_name_parses_to_tool() {
        for tool in Tool::ALL {
            assert_eq!(tool.name().parse::<Tool>().unwrap(), tool);
        }
        let error = "flywheel".parse::<Tool>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.hint().unwrap().contains("ef-core, evolve, flyway, "));
    }

    #[test]
    fn tool_without_lock_is_unsupported() {
        let error = Tool::Dbmate.check_lockable().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(
            error
                .message()
                .contains("dbmate cannot be acquired: it acquires no lock")
        );
        assert!(
            Tool::Liquibase
                .check_lockable()
                .unwrap_err()
                .message()
                .contains("table row without expiry")
        );
        assert!(Tool::Sqlx.check_lockable().is_ok());
    }
}
