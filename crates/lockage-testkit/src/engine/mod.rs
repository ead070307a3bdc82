//! Servers for tests, from binaries on the machine: started in a temporary folder, as an ordinary user, on a free port of the loopback
//! interface, and stopped when dropped.

mod binaries;
mod ordinary_user;
mod postgres;
mod server;

pub use postgres::PostgresServer;
