//! Observers that report the progress of a run to a test and pause or stop it.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use lockage_message_store::lockage_core::{Event, Interrupt, Observer};
use lockage_testkit::TestError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How long a test waits for an event.
const EVENT_TIMEOUT: Duration = Duration::from_secs(120);

/// Pauses a run before one of its steps, while it holds the lock.
pub(crate) struct PauseAtStep {
    step: usize,
    reached: UnboundedSender<()>,
    resume: Mutex<Receiver<()>>,
    callback: Option<fn()>,
}

/// The test's handle of a paused run. Dropping it continues the run.
pub(crate) struct PausedRun {
    reached: UnboundedReceiver<()>,
    /// The run continues when this is dropped.
    _resume: Sender<()>,
}

impl PauseAtStep {
    pub(crate) fn at_step(step: usize) -> (Self, PausedRun) {
        let (reached, seen) = unbounded_channel();
        let (resume, barrier) = channel();
        let pause = Self {
            step,
            reached,
            resume: Mutex::new(barrier),
            callback: None,
        };
        let paused = PausedRun {
            reached: seen,
            _resume: resume,
        };
        (pause, paused)
    }

    /// Sets a function that is called when the step is reached.
    pub(crate) fn with_callback(self, callback: fn()) -> Self {
        Self {
            callback: Some(callback),
            ..self
        }
    }
}

impl Observer for PauseAtStep {
    fn on_event(&self, event: &Event<'_>) {
        if !matches!(event, Event::StepStarted { index, .. } if *index == self.step) {
            return;
        }
        let _ = self.reached.send(());
        if let Some(callback) = self.callback {
            callback();
        }
        // `recv` fails when the handle is dropped, which ends the pause. Other tasks of this thread move to other threads.
        tokio::task::block_in_place(|| {
            if let Ok(barrier) = self.resume.lock() {
                let _ = barrier.recv();
            }
        });
    }
}

impl PausedRun {
    /// Waits until the run has reached the step.
    pub(crate) async fn wait_reached(&mut self) -> Result<(), TestError> {
        next_event(&mut self.reached, "the run to reach its step").await
    }
}

/// Reports the key of the lock that a run waits for.
pub(crate) struct WaitRecorder(UnboundedSender<String>);

impl WaitRecorder {
    pub(crate) fn new() -> (Self, UnboundedReceiver<String>) {
        let (sender, events) = unbounded_channel();
        (Self(sender), events)
    }
}

impl Observer for WaitRecorder {
    fn on_event(&self, event: &Event<'_>) {
        if let Event::Waiting { key, .. } = event {
            let _ = self.0.send(key.to_string());
        }
    }
}

/// Interrupts a run when it starts a step.
pub(crate) struct StopAtStep {
    pub(crate) step: usize,
    pub(crate) interrupt: Interrupt,
}

impl Observer for StopAtStep {
    fn on_event(&self, event: &Event<'_>) {
        if matches!(event, Event::StepStarted { index, .. } if *index == self.step) {
            self.interrupt.trigger();
        }
    }
}

/// Waits for the next event.
pub(crate) async fn next_event<T>(
    events: &mut UnboundedReceiver<T>,
    what: &str,
) -> Result<T, TestError> {
    match tokio::time::timeout(EVENT_TIMEOUT, events.recv()).await {
        Ok(Some(event)) => Ok(event),
        Ok(None) => Err(format!("the observer was dropped; waited for {what}").into()),
        Err(_) => Err(format!("waited {EVENT_TIMEOUT:?} for {what}").into()),
    }
}
