//! Replicas as processes: the test binary starts itself again with one hidden argument. Parent and child talk in lines of JSON.

mod process;
mod protocol;
mod role;

pub(crate) use process::ChildProcess;
pub(crate) use protocol::{ChildCommand, ChildMessage, ChildRole};
pub use role::run_child_if_requested;

/// The hidden argument.
const ARGUMENT: &str = "--lockage-child";
