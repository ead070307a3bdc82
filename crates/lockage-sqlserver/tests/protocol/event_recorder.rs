//! Records the notices and retries of a run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lockage_sqlserver::lockage_core::{Event, Observer};

/// Records events as text.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventRecorder(Arc<Mutex<Vec<String>>>);

impl EventRecorder {
    /// Returns the texts so far.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.lock().clone()
    }

    fn record(&self, text: String) {
        self.lock().push(text);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for EventRecorder {
    fn on_event(&self, event: &Event<'_>) {
        match event {
            Event::Notice { severity, message } => self.record(format!("{severity}: {message}")),
            Event::Retrying { attempt, .. } => self.record(format!("try {attempt}")),
            _ => {}
        }
    }
}
