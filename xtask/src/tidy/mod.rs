//! `cargo xtask tidy`: the house rules as code.

mod arrows;
mod crate_count;
mod promises;
mod sources;

use std::process::ExitCode;

use cargo_metadata::{Metadata, MetadataCommand};

/// Runs every rule and prints what is broken.
pub(crate) fn run() -> Result<ExitCode, String> {
    let metadata: Metadata = MetadataCommand::new()
        .exec()
        .map_err(|error| error.to_string())?;
    let root = metadata.workspace_root.as_std_path();
    let mut broken = arrows::check(&metadata);
    broken.extend(sources::check(root)?);
    broken.extend(promises::check(root)?);
    broken.extend(crate_count::check()?);
    for rule in &broken {
        println!("tidy: {rule}");
    }
    println!("tidy: {} rules broken", broken.len());
    Ok(if broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
