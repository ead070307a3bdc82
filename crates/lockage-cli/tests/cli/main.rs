//! Tests that run the program as a script would.

mod completions;
mod configuration;
mod files;
mod new;
#[cfg(unix)]
mod pipes;
#[cfg(feature = "sqlite")]
mod readme;
mod sandbox;
mod secrets;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(all(unix, feature = "sqlite"))]
mod terminal;
mod usage;
