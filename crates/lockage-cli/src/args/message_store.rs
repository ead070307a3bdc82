use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::DatabaseArgs;
use super::database::WriteArgs;
use crate::config::{Layer, Setting};

#[derive(Subcommand)]
pub(crate) enum MessageStoreCommand {
    /// Makes the message database, or brings it up, under the lock
    Migrate(MigrateStoreArgs),
    /// Says whether the message database is there and current: exit 0, or 3 with what is missing
    Check(StoreArgs),
    /// Counts the messages
    Counts(StoreArgs),
    /// Removes every message; asks first
    Clear(ClearArgs),
    /// Drops the message database and makes it anew, under one lock; asks first
    Rebuild(RebuildArgs),
    /// Gives messages up that nodes own, so that any node may take them
    Release(ReleaseArgs),
}

/// Which message database, and its tenants'.
#[derive(Args)]
pub(crate) struct StoreArgs {
    /// What makes an incoming message the same as another one
    #[arg(long, value_name = "WHAT", default_value = "id")]
    pub(crate) identity: IdentityArg,

    /// A tenant with a database of its own; may be said many times
    #[arg(long = "tenant", value_name = "NAME=URL", value_parser = tenant)]
    pub(crate) tenants: Vec<(String, String)>,

    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IdentityArg {
    /// Its id
    Id,
    /// Its id and where it was received
    IdAndDestination,
}

#[derive(Args)]
pub(crate) struct MigrateStoreArgs {
    /// Makes the database when it does not exist
    #[arg(long)]
    create: bool,

    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Args)]
pub(crate) struct ClearArgs {
    /// Does it without asking
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Args)]
pub(crate) struct RebuildArgs {
    /// Does it without asking
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Args)]
#[command(group = ArgGroup::new("whose").required(true))]
pub(crate) struct ReleaseArgs {
    /// What every node owns
    #[arg(long, group = "whose")]
    pub(crate) all: bool,

    /// What the node of this number owns
    #[arg(
        long,
        group = "whose",
        value_name = "NUMBER",
        allow_negative_numbers = true
    )]
    pub(crate) node: Option<i32>,

    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

impl MessageStoreCommand {
    /// What they all take.
    pub(crate) fn store(&self) -> &StoreArgs {
        match self {
            Self::Migrate(args) => &args.store,
            Self::Check(store) | Self::Counts(store) => store,
            Self::Clear(args) => &args.store,
            Self::Rebuild(args) => &args.store,
            Self::Release(args) => &args.store,
        }
    }

    pub(crate) fn settings(&self, layer: &mut Layer) {
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

/// `name=url`.
fn tenant(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, url)) if !name.is_empty() && url.contains(':') => {
            Ok((name.to_owned(), url.to_owned()))
        }
        // A text that was meant as one may hold a password: it is not shown.
        _ => Err("write a name, `=` and a URL".into()),
    }
}
