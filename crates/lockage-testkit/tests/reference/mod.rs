//! A backend without an engine, for the suite to be tested by: a database is a folder, a transaction a line of a log, the lock a locked
//! file. It is right unless its URL asks for a [`Flaw`].

mod cancel;
mod fault;
mod fixture;
mod lock;
mod marker;
mod migrator;
mod provider;
mod script;
mod session;
mod store;

use std::path::PathBuf;

use lockage_core::{
    Backend, BoxFuture, Capabilities, ConnectOptions, Migration, Result, Session, Statement,
};

#[allow(
    unused_imports,
    reason = "one of the two test binaries runs the right variant only"
)]
pub(crate) use fault::Flaw;
pub(crate) use fixture::ReferenceFixture;

/// The backend.
pub(crate) const BACKEND: Backend = Backend::new(
    "lockage-reference",
    &["reference"],
    Capabilities::new(true, "a locked file"),
    connect,
    inspect,
);

/// The same, with a lock that says that it works in one process only.
#[allow(
    dead_code,
    reason = "one of the two test binaries runs the right variant only"
)]
pub(crate) const LOCAL_BACKEND: Backend = Backend::new(
    "lockage-reference",
    &["reference"],
    Capabilities::new(true, "a locked file").single_process(),
    connect,
    inspect,
);

fn connect(options: &ConnectOptions) -> BoxFuture<'_, Result<Box<dyn Session>>> {
    Box::pin(async move {
        let (folder, flaw) = address(options.url.secret_after_scheme())?;
        let session = session::ReferenceSession::open(folder, flaw, options.run_id.clone())?;
        Ok(Box::new(session) as Box<dyn Session>)
    })
}

/// `folder` or `folder?Flaw`.
fn address(rest: &str) -> Result<(PathBuf, Option<Flaw>)> {
    match rest.split_once('?') {
        Some((folder, flaw)) => Ok((folder.into(), Some(flaw.parse()?))),
        None => Ok((rest.into(), None)),
    }
}

fn inspect(migration: &Migration, each: &mut dyn FnMut(Statement<'_>)) -> Result<()> {
    let text = script::read(migration)?;
    for (line, statement) in script::statements(&text) {
        each(Statement {
            text: statement,
            line,
        });
    }
    Ok(())
}
