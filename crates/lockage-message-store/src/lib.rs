//! The message database of Lockage: a durable inbox and outbox, dead letters, the nodes of a cluster with their assignments, and
//! tenants. Its schema is an embedded set of Lockage migrations for each engine. Any number of processes may start at the same
//! time; the migration lock lets one of them migrate.
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
//! Methods that change the schema hold the lock from the first statement to the last: [`migrate`](MessageStore::migrate),
//! [`rebuild`](MessageStore::rebuild), and [`start`](MessageStore::start) if it creates or updates. Methods that read or write rows
//! take no lock. The lock is the id 4006; [`migration_lock_id`](Builder::migration_lock_id) and
//! [`migration_lock_id_override`](Builder::migration_lock_id_override) change it.
//!
//! # Features
//! Each engine is a feature, and none is enabled by default: `mysql`, `postgres`, `sqlite`, `sqlserver`.
//!
//! `docs/message-store.md` describes tables and columns, and how to share a lock with another tool.

// Without an engine most of the crate is unused.
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
mod check;
mod counts;
mod engine;
mod expected_tables;
mod fan_out;
mod identity;
mod message_store;
mod row_store;
mod store;
mod table_names;

pub use admin::Ownership;
pub use auto_create::AutoCreate;
pub use builder::Builder;
pub use counts::Counts;
pub use fan_out::{StoreReport, StoreResult};
pub use identity::Identity;
pub use lockage_core;
pub use lockage_core::{Error, ErrorKind, Report, Result};
pub use message_store::MessageStore;

/// Compiles and runs the examples of `docs/message-store.md`.
#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../../../docs/message-store.md")]
struct ManualDoctests;
