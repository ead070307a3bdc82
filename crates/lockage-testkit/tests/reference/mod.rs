//! A backend without an engine, for tests of the suite. A database is a folder, a transaction is a line of a log, and the lock is a locked
//! file. The backend is correct unless its URL names a [`Fault`].

mod cancel;
mod fault;
mod fixture;
mod lock;
mod marker;
mod migrator;
mod provider;
mod script;
mod session;
mod session_state;
mod statement;
mod store;

use std::path::PathBuf;

use lockage_core::{
    Backend, BoxFuture, Capabilities, ConnectOptions, Migration, ParsedStatement, Result, Session,
};

#[allow(
    unused_imports,
    reason = "one of the two test binaries runs the right variant only"
)]
pub(crate) use fault::Fault;
pub(crate) use fixture::ReferenceFixture;

/// The reference backend.
pub(crate) const BACKEND: Backend = Backend::new(
    "lockage-reference",
    &["reference"],
    Capabilities::new(true, "a locked file"),
    connect,
    check_script,
);

/// The reference backend with the capability of a lock within one process.
#[allow(
    dead_code,
    reason = "one of the two test binaries runs the right variant only"
)]
pub(crate) const LOCAL_BACKEND: Backend = Backend::new(
    "lockage-reference",
    &["reference"],
    Capabilities::new(true, "a locked file").single_process(),
    connect,
    check_script,
);

fn connect(options: &ConnectOptions) -> BoxFuture<'_, Result<Box<dyn Session>>> {
    Box::pin(async move {
        let (folder, fault) = parse_url(options.url.secret_after_scheme())?;
        let session = session::ReferenceSession::open(folder, fault, options.clone())?;
        Ok(Box::new(session) as Box<dyn Session>)
    })
}

/// Parses `folder` or `folder?Fault`.
fn parse_url(rest: &str) -> Result<(PathBuf, Option<Fault>)> {
    match rest.split_once('?') {
        Some((folder, fault)) => Ok((folder.into(), Some(fault.parse()?))),
        None => Ok((rest.into(), None)),
    }
}

fn check_script(migration: &Migration, each: &mut dyn FnMut(ParsedStatement<'_>)) -> Result<()> {
    let text = script::read(migration)?;
    for (line, statement) in script::statements(&text) {
        each(ParsedStatement::new(statement, line));
    }
    Ok(())
}
