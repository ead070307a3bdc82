//! The backend on real files, through the runner.

mod apply;
mod foreign_keys;
#[cfg(unix)]
mod lock_file;
mod random;
mod rejected;
mod repair;
mod resume;
mod session_state;
mod test_database;
