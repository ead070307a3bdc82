//! Who holds a lock, as outputs show it.

use std::io::{self, Write};

use lockage::LockHolder;
use serde::Serialize;

use crate::output::redact::redact;

#[derive(Serialize)]
pub(super) struct Holder {
    #[serde(skip)]
    pub(super) short: String,
    session: Option<String>,
    user: Option<String>,
    host: Option<String>,
    application: Option<String>,
    since: Option<String>,
    migration: Option<String>,
    statement: Option<String>,
    progress: Option<String>,
}

impl Holder {
    pub(super) fn of(holder: &LockHolder) -> Self {
        let shown = |text: &Option<String>| text.as_deref().map(|text| redact(text).into_owned());
        Self {
            short: redact(&holder.to_string()).into_owned(),
            session: shown(&holder.session),
            user: shown(&holder.user),
            host: shown(&holder.host),
            application: shown(&holder.application),
            since: shown(&holder.since),
            migration: shown(&holder.migration),
            statement: shown(&holder.statement),
            progress: shown(&holder.progress),
        }
    }

    /// A line for each thing that is known.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
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
