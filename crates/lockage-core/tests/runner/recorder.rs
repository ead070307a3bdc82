//! An observer that records the events of a run.

use std::sync::{Arc, Mutex};

use lockage_core::{Event, Observer, Runner};

/// The recorded events as short texts: `connected`, `started 0 1 a`.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventRecorder(Arc<Mutex<Vec<String>>>);

impl EventRecorder {
    /// Returns a runner whose events are recorded, and the recorder.
    pub(crate) fn attach(runner: &Runner) -> (Runner, Self) {
        let recorder = Self::default();
        (runner.clone().observer(recorder.clone()), recorder)
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Observer for EventRecorder {
    fn on_event(&self, event: &Event<'_>) {
        let text = match event {
            Event::Connected { .. } => "connected".to_owned(),
            Event::Waiting {
                key,
                waited,
                holder,
            } => {
                let holder = holder
                    .and_then(|holder| holder.host.as_deref())
                    .unwrap_or("unknown");
                format!("waiting for {key} {} s holder {holder}", waited.as_secs())
            }
            Event::Locked { key, steps, .. } => format!("locked {key} for {steps}"),
            Event::StepStarted { step, index, .. } => format!("started {index} {}", step.migration),
            Event::Statement { done, total } => format!("statement {done} of {total}"),
            Event::StepFinished { step, .. } => format!("finished {}", step.migration),
            Event::Unreachable { message, .. } => format!("unreachable: {message}"),
            Event::Releasing { .. } => "releasing".to_owned(),
            Event::Released { .. } => "released".to_owned(),
            _ => return,
        };
        self.0.lock().unwrap().push(text);
    }
}
