//! What can be typed.

mod commands;
mod database;
#[cfg(feature = "message-store")]
mod message_store;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser};

use crate::config::{Layer, Setting};

pub(crate) use commands::{
    BaselineArgs, BreakArgs, CheckArgs, Command, CompletionsArgs, DownArgs, LockCommand, NewArgs,
    PlanArgs, RepairArgs, Settle, UpArgs, ValidateArgs, WaitArgs,
};
pub(crate) use database::DatabaseArgs;
#[cfg(feature = "message-store")]
pub(crate) use message_store::{IdentityArg, MessageStoreCommand, StoreArgs};

const AFTER_HELP: &str = "\
Settings come from flags, then the environment (DATABASE_URL, LOCKAGE_DIR, LOCKAGE_WAIT, …), then .env, then lockage.toml, \
then the defaults.

Exit codes: 0 done, or nothing to do; 1 a migration failed; 2 usage, configuration, or a mistake in a migration file; 3 pending; \
4 diverged; 5 the lock was not obtained in time; 6 cannot connect; 7 the lock or the session was lost; 130 and 143 interrupted, \
after a clean stop.";

/// Schema migrations under a lock: one replica migrates, the others wait in sight of it
#[derive(Parser)]
#[command(
    name = "lockage",
    version,
    after_help = AFTER_HELP,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes, before or after its name. No `Debug`: a URL may hold a password.
#[derive(Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// The database: sqlite:path, sqlite::memory:, postgres://user@host/database, … [env: LOCKAGE_URL, else DATABASE_URL]
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,

    /// A file whose first line is the password; it takes the place of the one in the URL [env: LOCKAGE_PASSWORD_FILE, or the
    /// password itself in LOCKAGE_PASSWORD]
    #[arg(long, global = true, value_name = "FILE")]
    password_file: Option<String>,

    /// The folder of the migrations [env: LOCKAGE_DIR] [default: ./migrations]
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<String>,

    /// The configuration file [env: LOCKAGE_CONFIG] [default: ./lockage.toml, where there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Takes the settings of the table [env.NAME] of the configuration file [env: LOCKAGE_ENV]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) env: Option<String>,

    /// Prints one JSON object, whether the command succeeds or fails
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Prints errors, and what was asked for, and nothing else
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Tells every statement and every notice of the server
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,

    /// Prints without colours [env: NO_COLOR]
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
}

impl GlobalArgs {
    /// The settings among the flags.
    pub(crate) fn settings(&self) -> Layer {
        let mut layer = Layer::default();
        layer.flag(Setting::Url, self.url.as_deref());
        layer.flag(Setting::PasswordFile, self.password_file.as_deref());
        layer.flag(Setting::Dir, self.dir.as_deref());
        layer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_make_sense_to_clap() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_stand_before_or_after_the_command() {
        for args in [
            ["lockage", "--json", "--dir", "d", "status"],
            ["lockage", "status", "--dir", "d", "--json"],
        ] {
            let cli = Cli::try_parse_from(args).ok().unwrap();
            assert!(cli.global.json);
            assert_eq!(cli.global.dir.as_deref(), Some("d"));
        }
    }
}
