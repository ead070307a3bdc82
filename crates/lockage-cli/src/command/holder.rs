//! The holder of a lock, as text and JSON.

use std::io::{self, Write};

use lockage::LockHolder;
use lockage::redact::mask_secrets;
use serde::Serialize;

/// The JSON of a lock holder. Unknown fields are null.
#[derive(Serialize)]
pub(super) struct HolderJson {
    /// The holder in one line, for text.
    #[serde(skip)]
    pub(super) summary: String,
    session: Option<String>,
    user: Option<String>,
    host: Option<String>,
    application: Option<String>,
    since: Option<String>,
    migration: Option<String>,
    statement: Option<String>,
    progress: Option<String>,
}

impl HolderJson {
    pub(super) fn from_holder(holder: &LockHolder) -> Self {
        let redacted =
            |text: &Option<String>| text.as_deref().map(|text| mask_secrets(text).into_owned());
        Self {
            summary: mask_secrets(&holder.to_string()).into_owned(),
            session: redacted(&holder.session),
            user: redacted(&holder.user),
            host: redacted(&holder.host),
            application: redacted(&holder.application),
            since: redacted(&holder.since),
            migration: redacted(&holder.migration),
            statement: redacted(&holder.statement),
            progress: redacted(&holder.progress),
        }
    }

    /// Writes a line for each known field.
    pub(super) fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        for (name, value) in [
            ("by", &self.user),
            ("from", &self.host),
            ("session", &self.session),
            ("program", &self.application),
            ("since", &self.since),
            ("migration", &self.migration),
            ("statement", &self.statement),
            ("progress", &self.progress),
        ] {
            if let Some(value) = value {
                writeln!(out, "  {name:<10} {value}")?;
            }
        }
        Ok(())
    }
}
