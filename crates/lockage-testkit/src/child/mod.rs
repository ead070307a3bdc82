//! Replicas as processes: the test binary starts itself again with one hidden argument. Parent and child talk in lines of JSON.

mod process;
mod protocol;
mod role;

pub(crate) use process::ChildProcess;
pub(crate) use protocol::{Orders, Role, Said};
pub(crate) use role::serve;

/// The hidden argument.
const ARGUMENT: &str = "--lockage-child";
