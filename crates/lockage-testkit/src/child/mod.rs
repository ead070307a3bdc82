//! Replicas as processes: the test binary starts itself again with one hidden argument. Parent and child talk in lines of JSON.

mod process;
mod protocol;
mod role;

pub(crate) use process::ChildProcess;
pub(crate) use protocol::{Orders, Role, Said};
pub use role::serve_child;

/// The hidden argument.
const ARGUMENT: &str = "--lockage-child";
