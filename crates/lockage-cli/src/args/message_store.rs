//! `message-store` and its flags.

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::database::{DatabaseArgs, WriteArgs};
use crate::config::{Setting, SettingsLayer};

#[derive(Subcommand)]
pub(crate) enum MessageStoreCommand {
    /// Create the message database or apply its pending migrations, under the lock
    Migrate(MigrateStoreArgs),
    /// Check that the message database is current; exits with 3 if migrations are pending
    Check(StoreArgs),
    /// Count the messages
    Counts(StoreArgs),
    /// Delete all messages (asks first)
    Clear(ClearArgs),
    /// Drop and recreate the message database, under the lock (asks first)
    Rebuild(RebuildArgs),
    /// Release messages owned by nodes so that any node can claim them
    Release(ReleaseArgs),
}

/// The message database and those of its tenants.
#[derive(Args)]
pub(crate) struct StoreArgs {
    /// What identifies an incoming message, to recognise duplicates
    #[arg(long, value_name = "WHAT", default_value = "id")]
    pub(crate) identity: IdentityArg,

    /// Add a tenant with a separate database; can be repeated
    #[arg(long = "tenant", value_name = "NAME=URL", value_parser = parse_tenant)]
    pub(crate) tenants: Vec<(String, String)>,

    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IdentityArg {
    /// Its id
    Id,
    /// Its id and its destination
    IdAndDestination,
}

#[derive(Args)]
pub(crate) struct MigrateStoreArgs {
    /// Create the database if it does not exist
    #[arg(long)]
    create: bool,

    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Args)]
pub(crate) struct ClearArgs {
    /// Do not ask for confirmation
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Args)]
pub(crate) struct RebuildArgs {
    /// Do not ask for confirmation
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Args)]
#[command(group = ArgGroup::new("owner").required(true))]
pub(crate) struct ReleaseArgs {
    /// Release the messages of all nodes
    #[arg(long, group = "owner")]
    pub(crate) all: bool,

    /// Release the messages of the node with this number
    #[arg(
        long,
        group = "owner",
        value_name = "NUMBER",
        allow_negative_numbers = true
    )]
    pub(crate) node: Option<i32>,

    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

impl MessageStoreCommand {
    /// Returns the flags that all commands have.
    pub(crate) fn store(&self) -> &StoreArgs {
        match self {
            Self::Migrate(args) => &args.store,
            Self::Check(store) | Self::Counts(store) => store,
            Self::Clear(args) => &args.store,
            Self::Rebuild(args) => &args.store,
            Self::Release(args) => &args.store,
        }
    }

    pub(crate) fn settings(&self, layer: &mut SettingsLayer) {
        match self {
            Self::Migrate(args) => {
                layer.switch(Setting::Create, args.create);
                args.write.settings(layer);
            }
            Self::Rebuild(args) => args.write.settings(layer),
            _ => {}
        }
        self.store().database.settings(layer);
    }
}

/// Parses `name=url`.
fn parse_tenant(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, url)) if !name.is_empty() && url.contains(':') => {
            Ok((name.to_owned(), url.to_owned()))
        }
        // The message does not repeat the text, which may contain a password.
        _ => Err("write a name, `=` and a URL".into()),
    }
}
