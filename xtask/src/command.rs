//! Runs programs and prints their command lines.

use std::process::Command;

/// Prints a command, runs it and returns whether it succeeded.
pub(crate) fn succeeds(command: &mut Command) -> Result<bool, String> {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    println!("$ {}", words.join(" "));
    let status = command
        .status()
        .map_err(|error| format!("{}: {error}", words[0]))?;
    Ok(status.success())
}
