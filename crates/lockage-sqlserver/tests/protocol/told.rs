use std::sync::{Arc, Mutex, PoisonError};

use lockage_sqlserver::lockage_core::{Event, Observer};

/// Remembers what the server said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    pub(crate) fn texts(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn keep(&self, text: String) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text);
    }
}

impl Observer for Told {
    fn on_event(&self, event: &Event<'_>) {
        match event {
            Event::Notice { severity, message } => self.keep(format!("{severity}: {message}")),
            Event::Retrying { attempt, .. } => self.keep(format!("try {attempt}")),
            _ => {}
        }
    }
}
