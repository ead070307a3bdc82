//! Runs against a database in memory, with the paused clock of tokio: time passes only while every task waits.

mod cancellation;
mod contention;
mod failure;
mod fake_database;
mod fake_session;
mod interruption;
mod recorder;
mod repair;
mod script_checks;
mod up_and_down;
mod wait_until_current;
