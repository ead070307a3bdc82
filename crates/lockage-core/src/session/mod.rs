//! A session and its typestate: only a session that holds the lock can write.

mod locked;
mod traits;
mod unlocked;

pub use locked::Locked;
pub use traits::{Canceller, Migrator, Session};
pub use unlocked::{TryLock, Unlocked};
