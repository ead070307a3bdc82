//! Servers for tests: at a URL that the caller provides, or started from binaries on this machine. A managed server uses a temporary
//! folder, an unprivileged user and a free port of the loopback interface. It stops when its value is dropped.
//!
//! This module does not read the environment: the caller passes URLs and the search path. A program that starts many test processes
//! starts one server for all of them and passes its URL on. A test process without a URL starts a server of its own.

mod binaries;
mod mariadb;
mod network_namespace;
mod postgres;
mod process_temp_dir;
mod server;
mod server_source;
mod unprivileged_user;

pub use mariadb::{MariadbBinaries, MariadbServer};
pub use network_namespace::NetworkNamespace;
pub use postgres::PostgresServer;
pub use process_temp_dir::process_temp_dir;
pub use server::{Server, kill_on_parent_death};
pub use server_source::{ManagedServer, MariadbSource, PostgresSource, ServerSource};
