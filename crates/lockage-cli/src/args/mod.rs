//! Command-line arguments.

mod commands;
mod database;
#[cfg(feature = "message-store")]
mod message_store;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, ValueHint};

use crate::config::{Setting, SettingsLayer};

pub(crate) use commands::{
    BaselineArgs, BreakArgs, CheckArgs, Command, CompletionsArgs, DownArgs, LockCommand, NewArgs,
    PlanArgs, RepairArgs, Resolve, UpArgs, ValidateArgs, WaitArgs,
};
#[cfg(feature = "message-store")]
pub(crate) use message_store::{IdentityArg, MessageStoreCommand, StoreArgs};

const AFTER_HELP: &str = "\
Settings come from flags, then the environment (DATABASE_URL, LOCKAGE_DIR, LOCKAGE_WAIT, …), then .env, then lockage.toml, \
then the defaults.

Exit codes: 0 success, or nothing to do; 1 a migration failed, or a question was answered with no; 2 invalid arguments, configuration or migration file; 3 migrations \
are pending; 4 files and history contradict each other; 5 the lock was not acquired in time; 6 cannot connect; 7 the lock or the \
session was lost; 130 and 143 stopped cleanly by SIGINT or SIGTERM.";

/// Schema migrations under a lock: one replica migrates while the others wait for it
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

/// Flags of every command, before or after its name. No `Debug`: a URL may contain a password.
#[derive(Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// URL of the database: sqlite:path, sqlite::memory:, postgres://user@host/database, … [env: LOCKAGE_URL, else DATABASE_URL]
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,

    /// File whose first line is the password, which replaces the one in the URL [env: LOCKAGE_PASSWORD_FILE, or the password
    /// itself in LOCKAGE_PASSWORD]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    password_file: Option<String>,

    /// Folder of the migrations [env: LOCKAGE_DIR] [default: ./migrations]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: Option<String>,

    /// Configuration file [env: LOCKAGE_CONFIG] [default: ./lockage.toml, if it exists]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,

    /// Use the settings of the table [env.NAME] in the configuration file [env: LOCKAGE_ENV]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) env: Option<String>,

    /// Print one JSON object, on success and on failure
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Only print errors and the requested result
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Print every statement and server notice
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,

    /// Print without colours [env: NO_COLOR]
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
}

impl GlobalArgs {
    /// Returns the settings among the flags.
    pub(crate) fn settings(&self) -> SettingsLayer {
        let mut layer = SettingsLayer::default();
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
    fn argument_definitions_are_valid() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_work_before_and_after_the_command() {
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
