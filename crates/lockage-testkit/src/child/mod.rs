//! Child processes: the test binary starts itself again with a hidden argument. Parent and child exchange lines of JSON.

mod process;
mod protocol;
mod role;

pub(crate) use process::ChildProcess;
pub(crate) use protocol::{ChildCommand, ChildMessage, ChildRole};
pub use role::run_child_if_requested;

/// The hidden argument.
const CHILD_ARG: &str = "--lockage-child";
