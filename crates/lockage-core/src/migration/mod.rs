//! Migration files: names, directives, checksums, scripts, and the set of a folder or a program.

mod checksum;
mod directive;
mod file_name;
mod folder;
mod kind;
mod migration_file;
mod other_tool;
mod scan;
mod script;
mod set;
mod version;

pub use checksum::Checksum;
pub use directive::Directives;
pub use kind::Kind;
pub use migration_file::Migration;
pub use script::{Script, ScriptReader};
pub use set::{EmbeddedFile, MigrationSet};
pub use version::Version;
