//! `message-store`: manages the message database.

use std::io;

use lockage::{Interrupt, NoObserver, Registry, Result};
use lockage_message_store::{Builder, Counts, Identity, MessageStore, Ownership, StoreResult};

use super::message_store_output::{MessageStoreOutput, StoreOutput};
use crate::args::{IdentityArg, MessageStoreCommand, StoreArgs};
use crate::config::Settings;
use crate::output::Output;
use crate::output::command_output::CommandResult;
use crate::output::confirm::{Confirmation, is_interactive};
use crate::output::progress::Progress;
use crate::output::run_kind::RunKind;
use crate::runtime::block_on_with_signals;

pub(super) fn run(
    command: &MessageStoreCommand,
    settings: &Settings,
    output: &Output,
) -> CommandResult {
    let interrupt = Interrupt::new();
    let (builder, progress) = builder(command, settings, output)?;
    let store = builder.interrupt(interrupt.clone()).build()?;
    let work = run_for_stores(command, &store, output, &interrupt);
    let results = block_on_with_signals(&interrupt, work);
    if let Some(progress) = progress {
        progress.finish();
    }
    Ok(Box::new(MessageStoreOutput::new(
        results?, settings, output,
    )))
}

/// Returns a builder of the store that the arguments name, and its progress if it is a single database.
fn builder(
    command: &MessageStoreCommand,
    settings: &Settings,
    output: &Output,
) -> Result<(Builder, Option<Progress>)> {
    let StoreArgs {
        identity, tenants, ..
    } = command.store();
    let mut connect = settings.connect_options()?;
    connect.create = settings.create && matches!(command, MessageStoreCommand::Migrate(_));
    let backend = *Registry::linked()?.find(connect.url.scheme())?;
    let mut builder = MessageStore::builder(connect.url.as_secret_str())
        .migration_lock(settings.lock.clone())
        .foreign_locks(settings.foreign_locks.clone())
        .wait(settings.wait)
        .identity(match identity {
            IdentityArg::Id => Identity::Id,
            IdentityArg::IdAndDestination => Identity::IdAndDestination,
        });
    if let Some(schema) = &connect.schema {
        builder = builder.schema(schema);
    }
    for (name, url) in tenants {
        builder = builder.tenant(name, url);
    }
    // Tenants run concurrently, and a bar shows one run.
    let progress = tenants
        .is_empty()
        .then(|| Progress::new(output.clone(), backend));
    builder = match &progress {
        Some(progress) => builder.observer(progress.clone()),
        None => builder.observer(NoObserver),
    };
    Ok((
        builder.connect_options(move |options| *options = connect.clone()),
        progress,
    ))
}

/// Runs the command for the main store and its tenants.
async fn run_for_stores(
    command: &MessageStoreCommand,
    store: &MessageStore,
    output: &Output,
    interrupt: &Interrupt,
) -> Result<Vec<StoreResult<StoreOutput>>> {
    Ok(match command {
        MessageStoreCommand::Migrate(_) => {
            to_output(store.migrate_each(), |report| {
                StoreOutput::Run(report, RunKind::Applied)
            })
            .await
        }
        MessageStoreCommand::Rebuild(args) => {
            if !args.yes {
                confirm(store, output, interrupt, REBUILD).await?;
            }
            to_output(store.rebuild_each(), |report| {
                StoreOutput::Run(report, RunKind::Rebuilt)
            })
            .await
        }
        MessageStoreCommand::Check(_) => {
            to_output(store.assert_current_each(), |()| {
                StoreOutput::Message("up_to_date")
            })
            .await
        }
        MessageStoreCommand::Counts(_) => to_output(store.counts_each(), StoreOutput::Counts).await,
        MessageStoreCommand::Clear(args) => {
            if !args.yes {
                confirm(store, output, interrupt, CLEAR).await?;
            }
            to_output(store.clear_each(), |()| StoreOutput::Message("cleared")).await
        }
        MessageStoreCommand::Release(args) => {
            let ownership = args.node.map_or(Ownership::All, Ownership::Node);
            to_output(store.release_ownership_each(ownership), |()| {
                StoreOutput::Message("released")
            })
            .await
        }
    })
}

async fn to_output<T>(
    work: impl Future<Output = Vec<StoreResult<T>>>,
    convert: impl Fn(T) -> StoreOutput,
) -> Vec<StoreResult<StoreOutput>> {
    let results = work.await.into_iter();
    results.map(|result| result.map(&convert)).collect()
}

/// The question before an action, and the message if it is not confirmed.
const CLEAR: (&str, &str) = ("Delete all messages?", "no message was deleted");

const REBUILD: (&str, &str) = (
    "Drop and recreate the message database? All messages will be lost.",
    "nothing was rebuilt",
);

/// Shows the number of messages that would be lost, and fails unless the user confirms.
async fn confirm(
    store: &MessageStore,
    output: &Output,
    interrupt: &Interrupt,
    (question, refused): (&str, &'static str),
) -> Result<()> {
    let counts = if is_interactive() {
        // The action also works on a store whose messages cannot be counted.
        store.counts().await.ok()
    } else {
        None
    };
    let details = |out: &mut dyn io::Write, _| match counts {
        Some(Counts {
            incoming,
            scheduled,
            handled,
            outgoing,
            dead_letters,
            ..
        }) => writeln!(
            out,
            "{incoming} incoming, {scheduled} scheduled, {handled} handled, {outgoing} outgoing, {dead_letters} dead letters"
        ),
        None => Ok(()),
    };
    let confirmation = Confirmation {
        question: question.to_owned(),
        refused,
    };
    confirmation.ask(output, interrupt, details, || None).await
}
