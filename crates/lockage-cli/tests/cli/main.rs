//! The real program, as a script would call it.

mod completions;
mod configuration;
mod files;
mod new;
mod sandbox;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(all(unix, feature = "sqlite"))]
mod terminal;
mod usage;
