//! The native lock: an application lock of the database, owned by the session.

mod app_lock;
mod holder;
mod key;
mod provider;
mod terminate;

pub(crate) use app_lock::AppLock;
