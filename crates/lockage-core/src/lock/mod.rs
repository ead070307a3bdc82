//! The lock: its key, who may hold it, how a run waits for it.

mod holder;
mod key;
mod provider;
mod wait;

pub use holder::LockHolder;
pub use key::LockKey;
pub use provider::{Held, LockProvider};
pub use wait::LockWait;
pub(crate) use wait::Patience;
