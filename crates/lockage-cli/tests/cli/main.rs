//! The real program, as a script would call it.

mod bench;
mod completions;
mod configuration;
mod files;
mod new;
mod usage;
