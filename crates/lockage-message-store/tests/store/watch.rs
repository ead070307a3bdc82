//! Observers that tell a test what a run is at, and hold it there.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use lockage_message_store::lockage_core::{Event, Interrupt, Observer};
use lockage_testkit::Failure;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How long a test waits for a run to come somewhere.
const DEADLINE: Duration = Duration::from_secs(120);

/// Holds a run, under the lock, before one of its steps.
pub(crate) struct Pause {
    step: usize,
    reached: UnboundedSender<()>,
    go_on: Mutex<Receiver<()>>,
    tell: Option<fn()>,
}

/// The test's side of a pause. Dropped, it lets the run go on.
pub(crate) struct Paused {
    reached: UnboundedReceiver<()>,
    /// The run goes on when this is dropped.
    _go_on: Sender<()>,
}

impl Pause {
    pub(crate) fn at_step(step: usize) -> (Self, Paused) {
        let (reached, seen) = unbounded_channel();
        let (go_on, gate) = channel();
        let pause = Self {
            step,
            reached,
            go_on: Mutex::new(gate),
            tell: None,
        };
        let paused = Paused {
            reached: seen,
            _go_on: go_on,
        };
        (pause, paused)
    }

    /// Tells it otherwise too.
    pub(crate) fn telling(self, tell: fn()) -> Self {
        Self {
            tell: Some(tell),
            ..self
        }
    }
}

impl Observer for Pause {
    fn on_event(&self, event: &Event<'_>) {
        if !matches!(event, Event::StepStarted { index, .. } if *index == self.step) {
            return;
        }
        let _ = self.reached.send(());
        if let Some(tell) = self.tell {
            tell();
        }
        // An error is the end of the pause: the other side is dropped. What else the thread has to do, others do.
        tokio::task::block_in_place(|| {
            if let Ok(gate) = self.go_on.lock() {
                let _ = gate.recv();
            }
        });
    }
}

impl Paused {
    /// Returns once the run stands there.
    pub(crate) async fn reached(&mut self) -> Result<(), Failure> {
        hear(&mut self.reached, "a run to stand before its step").await
    }
}

/// Tells that a run waits for the lock, by which id.
pub(crate) struct Waiting(UnboundedSender<String>);

impl Waiting {
    pub(crate) fn new() -> (Self, UnboundedReceiver<String>) {
        let (told, hear) = unbounded_channel();
        (Self(told), hear)
    }
}

impl Observer for Waiting {
    fn on_event(&self, event: &Event<'_>) {
        if let Event::Waiting { key, .. } = event {
            let _ = self.0.send(key.to_string());
        }
    }
}

/// Asks a run to stop as soon as it begins a step.
pub(crate) struct StopAt {
    pub(crate) step: usize,
    pub(crate) interrupt: Interrupt,
}

impl Observer for StopAt {
    fn on_event(&self, event: &Event<'_>) {
        if matches!(event, Event::StepStarted { index, .. } if *index == self.step) {
            self.interrupt.trigger();
        }
    }
}

/// The next thing that is told.
pub(crate) async fn hear<T>(told: &mut UnboundedReceiver<T>, what: &str) -> Result<T, Failure> {
    match tokio::time::timeout(DEADLINE, told.recv()).await {
        Ok(Some(heard)) => Ok(heard),
        Ok(None) => Err(format!("nobody is left to tell: waited for {what}").into()),
        Err(_) => Err(format!("waited {DEADLINE:?} for {what}").into()),
    }
}
