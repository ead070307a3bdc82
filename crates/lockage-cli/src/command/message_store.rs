use std::io;

use lockage::{Interrupt, NoObserver, Registry, Result};
use lockage_message_store::{Builder, Counts, Identity, MessageStore, OfStore, Ownership};

use super::Answered;
use super::message_store_answer::{Answers, Told};
use crate::args::{IdentityArg, MessageStoreCommand, StoreArgs};
use crate::config::Settings;
use crate::output::Output;
use crate::output::ask::Question;
use crate::output::json::Deed;
use crate::output::progress::Progress;
use crate::work::until_done;

pub(super) fn run(command: &MessageStoreCommand, settings: &Settings, output: &Output) -> Answered {
    let interrupt = Interrupt::new();
    let (builder, progress) = builder(command, settings, output)?;
    let store = builder.interrupt(interrupt.clone()).build()?;
    let told = until_done(&interrupt, tell(command, &store, output, &interrupt));
    if let Some(progress) = progress {
        progress.finish();
    }
    Ok(Box::new(Answers::new(told?, settings, output)))
}

/// The store that the arguments name; who is told how it goes on, where it is one database.
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
    let mut builder = MessageStore::builder(connect.url.expose())
        .migration_lock(settings.lock.clone())
        .align(settings.align.clone())
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
    // Many at once would draw on one bar.
    let progress = tenants.is_empty().then(|| Progress::new(output.clone(), backend));
    builder = match &progress {
        Some(progress) => builder.observer(progress.clone()),
        None => builder.observer(NoObserver),
    };
    Ok((
        builder.connect_options(move |options| *options = connect.clone()),
        progress,
    ))
}

async fn tell(
    command: &MessageStoreCommand,
    store: &MessageStore,
    output: &Output,
    interrupt: &Interrupt,
) -> Result<Vec<OfStore<Told>>> {
    Ok(match command {
        MessageStoreCommand::Migrate(_) => {
            told(store.migrate_each(), |report| {
                Told::Run(report, Deed::Applied)
            })
            .await
        }
        MessageStoreCommand::Rebuild(args) => {
            if !args.yes {
                ask(store, output, interrupt, REBUILD).await?;
            }
            told(store.rebuild_each(), |report| {
                Told::Run(report, Deed::Rebuilt)
            })
            .await
        }
        MessageStoreCommand::Check(_) => {
            told(store.assert_current_each(), |()| Told::Word("up_to_date")).await
        }
        MessageStoreCommand::Counts(_) => told(store.counts_each(), Told::Counts).await,
        MessageStoreCommand::Clear(args) => {
            if !args.yes {
                ask(store, output, interrupt, CLEAR).await?;
            }
            told(store.clear_each(), |()| Told::Word("cleared")).await
        }
        MessageStoreCommand::Release(args) => {
            let of = args.node.map_or(Ownership::All, Ownership::Node);
            told(store.release_ownership_each(of), |()| {
                Told::Word("released")
            })
            .await
        }
    })
}

async fn told<T>(
    work: impl Future<Output = Vec<OfStore<T>>>,
    tell: impl Fn(T) -> Told,
) -> Vec<OfStore<Told>> {
    work.await
        .into_iter()
        .map(|of_store| of_store.map(&tell))
        .collect()
}

const CLEAR: (&str, &str) = ("Remove every message?", "nothing was removed");

const REBUILD: (&str, &str) = (
    "Drop the message database, with everything in it, and make it anew?",
    "nothing was rebuilt",
);

/// Shows what would be lost, and goes on only when somebody says yes.
async fn ask(
    store: &MessageStore,
    output: &Output,
    interrupt: &Interrupt,
    (question, refused): (&str, &'static str),
) -> Result<()> {
    let lost = if output.can_ask() {
        // What cannot be counted may be lost all the same.
        store.counts().await.ok()
    } else {
        None
    };
    let show = |out: &mut dyn io::Write, _| match lost {
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
    let question = Question {
        question: question.to_owned(),
        refused,
    };
    question.ask(output, interrupt, show, || None).await
}
