//! Plans: pure functions from files and history to the steps of a run, or to an error.

mod baseline;
mod divergence;
mod down;
mod rebuild;
mod repair;
mod steps;
#[cfg(test)]
mod test_support;
mod up;

pub(crate) use baseline::plan_baseline;
pub use down::plan_down;
pub(crate) use rebuild::plan_rebuild;
pub use repair::{Repair, Repairs};
pub use steps::{Plan, PlanOptions};
pub(crate) use up::EMPTY_SCRIPT;
pub use up::plan_up;
