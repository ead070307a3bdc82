use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;

use lockage::Version;

use super::DatabaseArgs;
use super::database::{LookArgs, ToleranceArgs, WriteArgs};
use super::values::{Patience, patience, steps, time, version};
use crate::config::{Layer, Setting};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Applies what is pending, under the lock
    Up(UpArgs),
    /// Shows where every migration stands
    Status(LookArgs),
    /// Shows what `up` would do and why, statement by statement; writes nothing, takes no lock
    Plan(PlanArgs),
    /// Says whether the database is current: exit 0, or 3 when something is pending
    Check(CheckArgs),
    /// Blocks until the database is current, with read rights only
    Wait(WaitArgs),
    /// Takes migrations back with their undo scripts, newest first; one, when nothing else is said
    Down(DownArgs),
    /// Checks the migration files, and the checksums in the database
    Validate(ValidateArgs),
    /// Mends the history: accepts changed files, forgets what has no file, clears what failed half way; shows it and asks first
    Repair(RepairArgs),
    /// Marks what an existing database already has, so that `up` goes on from there
    Baseline(BaselineArgs),
    /// Creates a migration file with a UTC timestamp as its version
    New(NewArgs),
    /// The message database: durable inbox and outbox, nodes and tenants
    #[cfg(feature = "message-store")]
    #[command(subcommand)]
    MessageStore(super::MessageStoreCommand),
    /// Looks at the migration lock, or ends its holder
    #[command(subcommand)]
    Lock(LockCommand),
    /// Shows the linked backends, their URL schemes and what they can do
    Backends,
    /// Prints a completion script for a shell
    Completions(CompletionsArgs),
}

#[derive(Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) plan: UpLimits,

    /// Shows what would be done, and does nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Makes the database when it does not exist
    #[arg(long)]
    create: bool,

    #[command(flatten)]
    tolerance: ToleranceArgs,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// How far to go up.
#[derive(Args)]
pub(crate) struct UpLimits {
    /// Goes no further than to this version
    #[arg(long, value_name = "V", value_parser = version)]
    pub(crate) to: Option<Version>,

    /// Applies no more than so many migrations
    #[arg(long, value_name = "N", value_parser = steps)]
    pub(crate) steps: Option<usize>,
}

impl UpArgs {
    pub(crate) fn settings(&self, layer: &mut Layer) {
        layer.switch(Setting::Create, self.create);
        self.tolerance.settings(layer);
        self.write.settings(layer);
        self.database.settings(layer);
    }
}

#[derive(Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) plan: UpLimits,
    #[command(flatten)]
    pub(crate) look: LookArgs,
}

#[derive(Args)]
pub(crate) struct CheckArgs {
    /// Asks for no more than this version
    #[arg(long, value_name = "V", value_parser = version)]
    pub(crate) to: Option<Version>,
    #[command(flatten)]
    pub(crate) look: LookArgs,
}

#[derive(Args)]
pub(crate) struct WaitArgs {
    /// How long to wait: a time or `forever`
    #[arg(long, value_name = "TIME", value_parser = patience, default_value = "5m")]
    pub(crate) timeout: Patience,

    /// Asks for no more than this version
    #[arg(long, value_name = "V", value_parser = version)]
    pub(crate) to: Option<Version>,
    #[command(flatten)]
    pub(crate) look: LookArgs,
}

#[derive(Args)]
pub(crate) struct DownArgs {
    /// Goes down to this version, which stays applied
    #[arg(long, value_name = "V", value_parser = version, conflicts_with = "steps")]
    pub(crate) to: Option<Version>,

    /// Takes so many migrations back
    #[arg(long, value_name = "N", value_parser = steps)]
    pub(crate) steps: Option<usize>,

    /// Shows what would be done, and does nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    database: DatabaseArgs,
}

impl DownArgs {
    pub(crate) fn settings(&self, layer: &mut Layer) {
        self.write.settings(layer);
        self.database.settings(layer);
    }
}

#[derive(Args)]
pub(crate) struct ValidateArgs {
    /// Checks the files only, without a database
    #[arg(long)]
    pub(crate) offline: bool,

    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
}

#[derive(Args)]
pub(crate) struct RepairArgs {
    /// Does it without asking
    #[arg(long)]
    pub(crate) yes: bool,

    /// Answers for the statement that was under way when a run died, and repairs nothing else
    #[arg(long, value_name = "ANSWER")]
    pub(crate) settle: Option<Settle>,

    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// What became of a statement whose end nobody saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Settle {
    /// It took effect, and the next run goes on behind it
    Done,
    /// It did not take effect, and the next run begins with it
    Again,
}

impl RepairArgs {
    pub(crate) fn settings(&self, layer: &mut Layer) {
        self.write.settings(layer);
        self.database.settings(layer);
    }
}

#[derive(Args)]
pub(crate) struct BaselineArgs {
    /// The version that the database is at: everything up to it counts as applied
    #[arg(long, value_name = "V", value_parser = version)]
    pub(crate) at: Version,

    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    database: DatabaseArgs,
}

impl BaselineArgs {
    pub(crate) fn settings(&self, layer: &mut Layer) {
        self.write.settings(layer);
        self.database.settings(layer);
    }
}

#[derive(Args)]
pub(crate) struct NewArgs {
    /// What the migration does, in a few words: "create users"
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Creates an undo script with it
    #[arg(long, conflicts_with = "repeatable")]
    pub(crate) undo: bool,

    /// Creates a repeatable migration: it runs again whenever it changes
    #[arg(long)]
    pub(crate) repeatable: bool,
}

#[derive(Subcommand)]
pub(crate) enum LockCommand {
    /// Shows who holds the lock, from where, since when, at which migration; and the locks of other tools that use the database
    Status(DatabaseArgs),
    /// Ends the session that holds the lock, on the server; shows it and asks first
    Break(BreakArgs),
}

#[derive(Args)]
pub(crate) struct BreakArgs {
    /// Does it without asking
    #[arg(long)]
    pub(crate) yes: bool,

    /// How long the server may take to free the lock
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "30s")]
    pub(crate) timeout: Duration,

    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
}

#[derive(Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: Shell,
}
