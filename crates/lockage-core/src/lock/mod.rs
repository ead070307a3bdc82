//! The migration lock: its key, its holder, the proof that it is held, and the schedule of a wait.

mod foreign_lock_status;
mod holder;
mod key;
mod proof;
mod provider;
mod wait;

pub use foreign_lock_status::{ForeignLockStatus, ResolvedForeignLocks};
pub use holder::LockHolder;
pub use key::LockKey;
pub use proof::LockProof;
pub use provider::LockProvider;
pub use wait::LockWait;
pub(crate) use wait::WaitSchedule;
