//! An observer that records events.

use std::sync::{Arc, Mutex};

use lockage_core::{Event, Observer};

/// Records notices, retries and finished statements as texts.
#[derive(Clone, Default)]
pub(crate) struct EventRecorder(Arc<Mutex<Vec<String>>>);

impl Observer for EventRecorder {
    fn on_event(&self, event: &Event<'_>) {
        let text = match event {
            Event::Notice { severity, message } => format!("{severity}: {message}"),
            Event::Retrying {
                attempt, message, ..
            } => format!("retry {attempt}: {message}"),
            Event::Statement { done, total } => format!("{done}/{total}"),
            _ => return,
        };
        self.0.lock().expect("no panic while locked").push(text);
    }
}

impl EventRecorder {
    pub(crate) fn events(&self) -> Vec<String> {
        self.0.lock().expect("no panic while locked").clone()
    }
}
