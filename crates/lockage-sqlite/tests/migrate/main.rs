//! The backend on real files, through the runner.

mod apply;
mod rejected;
mod repair;
mod resume;
mod test_database;
