//! What the server says beside its answers: `PRINT`, warnings. The driver passes such messages to tracing only, so a listener of ours stands
//! there while a statement runs, and passes on to the program's own what is said.

use std::sync::{Arc, Mutex, PoisonError};

use lockage_sql::Notice;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber, dispatcher};

/// Where the driver speaks of what it reads.
const SOURCE: &str = "tiberius::tds::stream::token";

/// How many messages of one statement are kept.
const MOST: usize = 1000;

/// Collects messages.
#[derive(Clone)]
pub(crate) struct Listener {
    heard: Arc<Mutex<Vec<String>>>,
    dispatch: Dispatch,
}

impl Listener {
    pub(crate) fn new() -> Self {
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let before = dispatcher::get_default(Dispatch::clone);
        let ear = Ear {
            heard: Arc::clone(&heard),
            before,
        };
        Self {
            heard,
            dispatch: Dispatch::new(ear),
        }
    }

    /// The listener for the calls in it: `future.with_subscriber(listener.dispatch())`.
    pub(crate) fn dispatch(&self) -> Dispatch {
        self.dispatch.clone()
    }

    /// What was heard since the last call, each text once.
    pub(crate) fn take(&self) -> Vec<Notice> {
        let heard = std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner));
        let mut notices: Vec<Notice> = Vec::new();
        for message in heard {
            if !notices.iter().any(|notice| notice.message == message) {
                let severity = "INFO".to_owned();
                notices.push(Notice { severity, message });
            }
        }
        notices
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listener")
    }
}

struct Ear {
    heard: Arc<Mutex<Vec<String>>>,
    /// The program's own.
    before: Dispatch,
}

fn concerns_us(metadata: &Metadata<'_>) -> bool {
    metadata.target() == SOURCE && *metadata.level() == Level::DEBUG
}

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        concerns_us(metadata) || self.before.enabled(metadata)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.before.new_span(span)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.before.record(span, values);
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.before.record_follows_from(span, follows);
    }

    fn event(&self, event: &Event<'_>) {
        if concerns_us(event.metadata()) {
            let mut message = Message(String::new());
            event.record(&mut message);
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            if heard.len() < MOST && !message.0.trim().is_empty() {
                heard.push(message.0);
            }
        }
        if self.before.enabled(event.metadata()) {
            self.before.event(event);
        }
    }

    fn enter(&self, span: &Id) {
        self.before.enter(span);
    }

    fn exit(&self, span: &Id) {
        self.before.exit(span);
    }
}

/// The text of an event.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
