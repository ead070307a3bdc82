//! Commands and their flags.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;
use lockage::Version;

use super::database::{DatabaseArgs, PlanPolicyArgs, ReadArgs, WriteArgs};
#[cfg(feature = "message-store")]
use super::message_store::MessageStoreCommand;
use super::values::{WaitTimeout, parse_steps, parse_timeout, parse_version, parse_wait_timeout};
use crate::config::{Setting, SettingsLayer};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Apply pending migrations, under the lock
    Up(UpArgs),
    /// Show the state of every migration
    Status(ReadArgs),
    /// Show what `up` would do and why, statement by statement; writes nothing, takes no lock
    Plan(PlanArgs),
    /// Check that the database is current; exits with 3 if migrations are pending
    Check(CheckArgs),
    /// Wait until the database is current; needs only read privileges
    Wait(WaitArgs),
    /// Undo applied migrations, newest first (default: the last one)
    Down(DownArgs),
    /// Check the migration files, and their checksums in the database
    Validate(ValidateArgs),
    /// Repair the history: update changed checksums, delete rows without a file, clear failed migrations (asks first)
    Repair(RepairArgs),
    /// Mark the migrations of an existing database as applied, so that `up` continues after them
    Baseline(BaselineArgs),
    /// Create a migration file with a UTC timestamp as its version
    New(NewArgs),
    /// Manage the message database: durable inbox and outbox, nodes and tenants
    #[cfg(feature = "message-store")]
    #[command(subcommand)]
    MessageStore(MessageStoreCommand),
    /// Show the migration lock, or terminate the session that holds it
    #[command(subcommand)]
    Lock(LockCommand),
    /// List the linked backends, their URL schemes and capabilities
    Backends,
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

#[derive(Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) plan: UpLimits,

    /// Show what would be done, without doing it
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Create the database if it does not exist
    #[arg(long)]
    create: bool,

    #[command(flatten)]
    policy: PlanPolicyArgs,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// The limits of a plan.
#[derive(Args)]
pub(crate) struct UpLimits {
    /// Stop after this version
    #[arg(long, value_name = "V", value_parser = parse_version)]
    pub(crate) to: Option<Version>,

    /// Apply at most this many migrations
    #[arg(long, value_name = "N", value_parser = parse_steps)]
    pub(crate) steps: Option<usize>,
}

impl UpArgs {
    pub(crate) fn settings(&self, layer: &mut SettingsLayer) {
        layer.switch(Setting::Create, self.create);
        self.policy.settings(layer);
        self.write.settings(layer);
        self.database.settings(layer);
    }
}

#[derive(Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) plan: UpLimits,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}

#[derive(Args)]
pub(crate) struct CheckArgs {
    /// Ignore migrations after this version
    #[arg(long, value_name = "V", value_parser = parse_version)]
    pub(crate) to: Option<Version>,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}

#[derive(Args)]
pub(crate) struct WaitArgs {
    /// How long to wait: a duration or `forever`
    #[arg(long, value_name = "TIME", value_parser = parse_wait_timeout, default_value = "5m")]
    pub(crate) timeout: WaitTimeout,

    /// Ignore migrations after this version
    #[arg(long, value_name = "V", value_parser = parse_version)]
    pub(crate) to: Option<Version>,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}

#[derive(Args)]
pub(crate) struct DownArgs {
    /// Undo migrations down to this version, which stays applied
    #[arg(long, value_name = "V", value_parser = parse_version, conflicts_with = "steps")]
    pub(crate) to: Option<Version>,

    /// Undo this many migrations
    #[arg(long, value_name = "N", value_parser = parse_steps)]
    pub(crate) steps: Option<usize>,

    /// Show what would be done, without doing it
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    database: DatabaseArgs,
}

impl DownArgs {
    pub(crate) fn settings(&self, layer: &mut SettingsLayer) {
        self.write.settings(layer);
        self.database.settings(layer);
    }
}

#[derive(Args)]
pub(crate) struct ValidateArgs {
    /// Check only the files, without a database
    #[arg(long)]
    pub(crate) offline: bool,

    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
}

#[derive(Args)]
pub(crate) struct RepairArgs {
    /// Do not ask for confirmation
    #[arg(long)]
    pub(crate) yes: bool,

    /// Also accept files whose name differs from the one in the history: another set of migrations probably wrote the row
    #[arg(long)]
    pub(crate) force: bool,

    /// Resolve the statement that was running when a previous run died; nothing else is repaired
    // Scripts of earlier versions use the alias and its values.
    #[arg(long, alias = "settle", value_name = "ANSWER")] // tidy: allow(settle)
    pub(crate) resolve: Option<Resolve>,

    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// The effect of a statement whose outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Resolve {
    /// It was applied; the next run continues after it
    #[value(alias = "done")]
    Applied,
    /// It was not applied; the next run repeats it
    #[value(alias = "again")]
    NotApplied,
}

impl RepairArgs {
    pub(crate) fn settings(&self, layer: &mut SettingsLayer) {
        self.write.settings(layer);
        self.database.settings(layer);
    }
}

#[derive(Args)]
pub(crate) struct BaselineArgs {
    /// Version of the database; all migrations up to it are marked as applied
    #[arg(long, value_name = "V", value_parser = parse_version)]
    pub(crate) at: Version,

    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    database: DatabaseArgs,
}

impl BaselineArgs {
    pub(crate) fn settings(&self, layer: &mut SettingsLayer) {
        self.write.settings(layer);
        self.database.settings(layer);
    }
}

#[derive(Args)]
pub(crate) struct NewArgs {
    /// Short description of the migration: "create users"
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Also create an undo script
    #[arg(long, conflicts_with = "repeatable")]
    pub(crate) undo: bool,

    /// Create a repeatable migration, which runs again whenever it changes
    #[arg(long)]
    pub(crate) repeatable: bool,
}

#[derive(Subcommand)]
pub(crate) enum LockCommand {
    /// Show who holds the lock, from where, since when and at which migration, and the locks of other tools on the database
    Status(DatabaseArgs),
    /// Terminate the session that holds the lock, on the server (asks first)
    Break(BreakArgs),
}

#[derive(Args)]
pub(crate) struct BreakArgs {
    /// Do not ask for confirmation
    #[arg(long)]
    pub(crate) yes: bool,

    /// How long to wait until the server has released the lock
    #[arg(long, value_name = "TIME", value_parser = parse_timeout, default_value = "30s")]
    pub(crate) timeout: Duration,

    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
}

#[derive(Args)]
pub(crate) struct CompletionsArgs {
    /// Shell to print the script for
    pub(crate) shell: Shell,
}
