//! The scripts of the message database, embedded with placeholders for names.

/// A script of the message database: its path and its text with placeholders.
pub(crate) type ScriptTemplate = (&'static str, &'static str);

/// Embeds the scripts of a folder, each with its undo script.
macro_rules! script_templates {
    ($folder:literal: $($name:literal),* $(,)?) => {
        &[$(
            (
                concat!("message-store/", $folder, "/V", $name, ".sql"),
                include_str!(concat!("../../migrations/", $folder, "/V", $name, ".sql")),
            ),
            (
                concat!("message-store/", $folder, "/U", $name, ".sql"),
                include_str!(concat!("../../migrations/", $folder, "/U", $name, ".sql")),
            ),
        )*]
    };
}
pub(crate) use script_templates;
