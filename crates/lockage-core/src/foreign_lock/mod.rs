//! Other migration tools: their names, the selection of their locks, and their detection in a database.

mod detection;
mod selection;
mod tool;

pub use detection::FoundTable;
pub(crate) use detection::{detect_tools, marker_table_names};
pub use selection::{ForeignLock, ForeignLocks};
pub use tool::Tool;
