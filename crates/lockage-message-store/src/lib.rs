//! The message database of Lockage: durable storage for messages that came in and are to go out, dead letters, the nodes of a cluster and
//! their work, and tenants. An embedded set of Lockage migrations for each engine, brought up under the migration lock by however many
//! processes start at once.
//!
//! ```
//! # #[cfg(feature = "sqlite")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> lockage_message_store::Result<()> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let url = format!("sqlite:{}/app.db", folder.path().display());
//! use lockage_message_store::{AutoCreate, MessageStore};
//!
//! let store = MessageStore::builder(url)
//!     .auto_create(AutoCreate::CreateOrUpdate)
//!     .build()?;
//! store.start().await?;
//! assert_eq!(store.counts().await?.incoming, 0);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "sqlite"))]
//! # fn main() {}
//! ```
//!
//! # Locks
//! What changes the schema holds the lock from its first statement to its last: [`migrate`](MessageStore::migrate),
//! [`start`](MessageStore::start) where it creates or updates, [`rebuild`](MessageStore::rebuild). What reads or writes rows takes no lock. The
//! lock is the id 4006 unless [`migration_lock_id`](Builder::migration_lock_id) or
//! [`override_migration_lock_id`](Builder::override_migration_lock_id) says otherwise.
//!
//! # Features
//! One an engine, none by default: `mysql`, `postgres`, `sqlite`, `sqlserver`.
//!
//! Tables, columns and how to share a lock with a neighbour: `docs/message-store.md`.

// Without an engine there is nobody to use the rest.
#![cfg_attr(
    not(any(
        feature = "mysql",
        feature = "postgres",
        feature = "sqlite",
        feature = "sqlserver"
    )),
    allow(dead_code, unused_imports, unused_macros)
)]

mod admin;
mod auto_create;
mod builder;
mod counts;
mod current;
mod each;
mod engine;
mod identity;
mod place;
mod records;
mod store;
mod tables;

pub use admin::Ownership;
pub use auto_create::AutoCreate;
pub use builder::Builder;
pub use counts::Counts;
pub use each::{Migrated, OfStore};
pub use identity::Identity;
pub use lockage_core;
pub use lockage_core::{Error, ErrorKind, Report, Result};
pub use store::MessageStore;

/// What `docs/message-store.md` shows is compiled and run.
#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../../../docs/message-store.md")]
struct Manual;
