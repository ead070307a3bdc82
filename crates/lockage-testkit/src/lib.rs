//! The conformance suite: what [`LockProvider`](lockage_core::LockProvider), [`Migrator`](lockage_core::Migrator) and a run on top
//! of them promise, as cases that any backend runs.
//!
//! A backend's crate has a `tests/conformance.rs`:
//!
//! ```no_run
//! # use lockage_core::{Backend, Capabilities, Error, ErrorKind};
//! # use lockage_testkit::{Failure, Fixture, Need, async_trait};
//! # struct Acme;
//! # const BACKEND: Backend = Backend::new("lockage-acme", &["acme"], Capabilities::new(true, "a lock"),
//! #     |_| Box::pin(async { Err(Error::new(ErrorKind::Connect, "")) }), |_, _| Ok(()));
//! #[async_trait]
//! impl Fixture for Acme {
//!     // a fresh database, how to look into it, a few statements: see `Fixture`
//! #   fn lacks(&self, _: Need) -> Option<String> { None }
//! #   async fn create_database(&self) -> Result<String, Failure> { todo!() }
//! #   async fn drop_database(&self, _: &str) -> Result<(), Failure> { todo!() }
//! #   async fn tables(&self, _: &str) -> Result<Vec<String>, Failure> { todo!() }
//! #   async fn rows(&self, _: &str, _: &str) -> Result<Vec<i64>, Failure> { todo!() }
//! #   async fn execute(&self, _: &str, _: &str) -> Result<(), Failure> { todo!() }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     lockage_testkit::conformance(BACKEND, Acme)
//! }
//! ```
//!
//! and in its `Cargo.toml`:
//!
//! ```toml
//! [[test]]
//! name = "conformance"
//! harness = false
//! ```
//!
//! `cargo test --test conformance -- lock::` runs some of the cases, `--list` names them, and `cargo nextest run` works too. Where the
//! engine or the machine cannot do what a case needs, the case is shown as ignored, with the reason in front of its name.

mod case;
mod child;
#[cfg(all(feature = "engines", unix))]
pub mod engine;
mod fixture;
mod harness;
#[cfg(all(feature = "matrix", unix))]
pub mod matrix;
#[cfg(all(feature = "engines", unix))]
mod process_mark;
mod scene;
mod sole_holder;
mod suite;
mod told;
mod unique_name;

pub use child::serve_child;
pub use fixture::{Failure, Fixture, Gate, Need};
pub use harness::conformance;
pub use lockage_core::async_trait;
pub use sole_holder::SoleHolder;
pub use suite::{Case, Suite};
pub(crate) use told::told;
pub use unique_name::unique_name;
