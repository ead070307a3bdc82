//! The lock: its key, who may hold it, how a run waits for it.

mod holder;
mod key;
mod neighbour;
mod provider;
mod traces;
mod wait;

pub use holder::LockHolder;
pub use key::LockKey;
pub use neighbour::{ForeignLock, ForeignLocks, Tool};
pub use provider::{LockProof, LockProvider};
pub use traces::FoundTable;
pub(crate) use traces::{tables, tools};
pub use wait::LockWait;
pub(crate) use wait::Patience;
