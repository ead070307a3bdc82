//! The heart of Lockage: schema migrations under a lock, for every replica that starts at once.
//!
//! This crate knows no database. It holds
//! - the two traits a backend implements, [`LockProvider`] and [`Migrator`], together a [`Session`];
//! - the typestate [`Unlocked`] / [`Locked`]: only a locked session can write;
//! - what is decided without a database: [`MigrationSet`], [`plan`](plan::plan), [`survey`](status::compare);
//! - the [`Runner`] that waits, takes the lock, applies and releases, the same way on every engine;
//! - [`Backend`] and [`Registry`], through which an engine's crate is found by the scheme of a URL.
//!
//! ```
//! use lockage_core::Registry;
//! // A registry is a value; `Registry::linked()` holds every backend that is linked into the program.
//! assert!(Registry::linked().unwrap().find("oracle").is_err());
//! ```

mod backend;
mod connect;
mod error;
mod event;
mod history;
mod interrupt;
mod lock;
mod migration;
mod migrator;
pub mod plan;
pub mod redact;
mod registry;
mod report;
mod runner;
mod session;
pub mod status;
mod url;

pub use async_trait::async_trait;
pub use backend::{Backend, BoxFuture, ParsedStatement};
pub use connect::{ConnectOptions, LockStrategy};
pub use error::{Error, ErrorKind, Location, Result, Status};
pub use event::{Event, NoObserver, Observer};
pub use history::{History, HistoryRow, State};
pub use interrupt::Interrupt;
pub use lock::{
    ForeignLock, ForeignLocks, FoundTable, LockHolder, LockKey, LockProof, LockProvider, LockWait,
    Tool,
};
pub use migration::{
    Checksum, Directives, EmbeddedFile, Kind, Migration, MigrationSet, Script, ScriptReader,
    Version,
};
pub use migrator::{Action, Canceller, Capabilities, Migrator, Step, StepResult};
pub use plan::{Plan, PlanOptions};
pub use registry::Registry;
pub use report::{AppliedMigration, Outcome, PendingMigration, Report, RunError};
pub use runner::{ForeignLockStatus, Repair, Repairs, Runner};
pub use session::{Locked, ResolvedForeignLocks, Session, TryLock, Unlocked};
pub use url::DatabaseUrl;

#[doc(hidden)]
pub mod __private {
    //! What the registration macro needs. Not for use by hand.
    pub use crate::backend::Registration;
    pub use inventory;
}
