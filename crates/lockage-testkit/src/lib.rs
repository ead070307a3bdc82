//! The conformance suite: the guarantees of [`LockProvider`](lockage_core::LockProvider), [`Migrator`](lockage_core::Migrator) and
//! [`Runner`](lockage_core::Runner), as cases that every backend runs.
//!
//! A backend's crate has a `tests/conformance.rs`:
//!
//! ```no_run
//! # use lockage_core::{Backend, Capabilities, Error, ErrorKind};
//! # use lockage_testkit::{Ability, Fixture, TestError, async_trait};
//! # struct Acme;
//! # const BACKEND: Backend = Backend::new("lockage-acme", &["acme"], Capabilities::new(true, "a lock"),
//! #     |_| Box::pin(async { Err(Error::new(ErrorKind::Connect, "")) }), |_, _| Ok(()));
//! #[async_trait]
//! impl Fixture for Acme {
//!     // creates a database, reads it and builds a few statements: see `Fixture`
//! #   fn unsupported(&self, _: Ability) -> Option<String> { None }
//! #   async fn create_database(&self) -> Result<String, TestError> { todo!() }
//! #   async fn drop_database(&self, _: &str) -> Result<(), TestError> { todo!() }
//! #   async fn tables(&self, _: &str) -> Result<Vec<String>, TestError> { todo!() }
//! #   async fn rows(&self, _: &str, _: &str) -> Result<Vec<i64>, TestError> { todo!() }
//! #   async fn execute(&self, _: &str, _: &str) -> Result<(), TestError> { todo!() }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     lockage_testkit::conformance(BACKEND, Acme)
//! }
//! ```
//!
//! Its `Cargo.toml` declares the test without the default harness:
//!
//! ```toml
//! [[test]]
//! name = "conformance"
//! harness = false
//! ```
//!
//! `cargo test --test conformance -- lock::` runs some of the cases and `--list` lists them. `cargo nextest run` works too. If the
//! engine or the machine lacks an ability that a case needs, the case is reported as ignored, with the reason in front of its name.

mod case;
mod case_context;
mod child;
mod error_chain;
mod exclusivity;
mod fixture;
mod harness;
mod suite;
mod suite_runner;
mod test_case;
mod unique_name;

pub use child::run_child_if_requested;
pub use error_chain::format_error_chain;
pub use exclusivity::ExclusivityProbe;
pub use fixture::{Ability, Barrier, Fixture, TableLock, TestError};
pub use harness::conformance;
pub use lockage_core::async_trait;
pub use suite::Suite;
pub use test_case::Case;
pub use unique_name::unique_name;
