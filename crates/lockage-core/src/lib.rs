//! The core of Lockage: schema migrations under a lock, for services whose replicas all migrate at their start.
//!
//! This crate contains no driver and no SQL. A backend crate adds an engine; the crate `lockage` links the backends and is
//! the one that programs use.
//!
//! | To … | see |
//! |---|---|
//! | migrate a database | [`Runner`] |
//! | load migrations | [`MigrationSet`] |
//! | see what a run would do, or the status of each migration | [`plan`], [`status`] |
//! | write a backend | [`Session`], which is a [`LockProvider`] and a [`Migrator`]; [`Backend`] |
//! | exclude other migration tools | [`ForeignLocks`] |
//! | handle errors | [`Error`], [`ErrorKind`], [`RunError`] |
//!
//! Only a session that holds the lock can write: [`Unlocked`] has no method that writes, and [`Unlocked::try_lock`] is the
//! only way to a [`Locked`].
//!
//! ```
//! use lockage_core::Registry;
//! // `Registry::linked()` contains every backend that is linked into the program.
//! assert!(Registry::linked().unwrap().find("oracle").is_err());
//! ```

mod backend;
mod capabilities;
mod connect;
mod error;
mod event;
mod foreign_lock;
mod history;
mod interrupt;
mod lock;
mod migration;
pub mod plan;
pub mod redact;
mod registry;
mod report;
mod runner;
mod session;
pub mod status;
mod step;
mod url;
mod url_syntax;

pub use async_trait::async_trait;
pub use backend::{Backend, BoxFuture, ParsedStatement};
pub use capabilities::Capabilities;
pub use connect::{ConnectOptions, LockStrategy};
pub use error::{Error, ErrorKind, Location, Result, Status};
pub use event::{Event, NoObserver, Observer};
pub use foreign_lock::{ForeignLock, ForeignLocks, FoundTable, Tool};
pub use history::{History, HistoryRow, State};
pub use interrupt::Interrupt;
pub use lock::{
    ForeignLockStatus, LockHolder, LockKey, LockProof, LockProvider, LockWait, ResolvedForeignLocks,
};
pub use migration::{
    Checksum, Directives, EmbeddedFile, Kind, Migration, MigrationSet, Script, ScriptReader,
    Version,
};
pub use plan::{Plan, PlanOptions, Repair, Repairs};
pub use registry::Registry;
pub use report::{AppliedMigration, Outcome, PendingMigration, Report, RunError, Unfinished};
pub use runner::Runner;
pub use session::{Canceller, Locked, Migrator, Session, TryLock, Unlocked};
pub use step::{Action, Step, StepResult};
pub use url::DatabaseUrl;
pub use url_syntax::{UrlParts, UrlSyntax};

#[doc(hidden)]
pub mod __private {
    //! Items for the expansion of macros. They are not part of the public API.
    pub use crate::backend::Registration;
    pub use crate::url_syntax::SchemeSyntax;
    pub use inventory;
}
