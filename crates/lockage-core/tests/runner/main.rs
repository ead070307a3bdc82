//! The run, against a database in memory and with time that stands still unless somebody waits for it.

mod contended;
mod dropped;
mod failing;
mod interrupted;
mod mended;
mod plain;
mod session;
mod told;
mod waiting;
mod world;
