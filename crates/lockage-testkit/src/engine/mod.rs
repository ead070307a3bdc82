//! Where an engine for tests comes from: an address that the caller was given, else a server of our own from binaries on the machine:
//! started in a temporary folder, as an ordinary user, on a free port of the loopback interface, and stopped when dropped.
//!
//! Nothing here reads the environment: a test binary or a runner hands in what it found there. A runner that starts many test processes
//! starts one server for all of them and passes its URL on; a test binary that was given none starts its own.

mod binaries;
mod folder;
mod island;
mod mariadb;
mod ordinary_user;
mod origin;
mod postgres;
mod server;

pub use folder::own_folder;
pub use island::Island;
pub use mariadb::{MariadbBinaries, MariadbServer};
pub use origin::{MariadbOrigin, Origin, OwnServer, PostgresOrigin};
pub use postgres::PostgresServer;
pub use server::{Server, dying_with_us};
