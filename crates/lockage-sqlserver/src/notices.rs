//! Collects messages of the server: the output of `PRINT`, and warnings.
//!
//! The driver only logs such messages with tracing. A subscriber of this module reads them while a statement runs, and passes
//! every event on to the subscriber of the program.

use std::sync::{Arc, Mutex, PoisonError};

use lockage_sql::Notice;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber, dispatcher};

/// The tracing target of the driver's log of messages.
const TIBERIUS_TARGET: &str = "tiberius::tds::stream::token";

/// The maximum number of messages that are kept for one statement.
const MAX_MESSAGES: usize = 1000;

/// Collects the messages of the calls that run with its subscriber.
#[derive(Clone)]
pub(crate) struct NoticeCollector {
    messages: Arc<Mutex<Vec<String>>>,
    dispatch: Dispatch,
}

impl NoticeCollector {
    pub(crate) fn new() -> Self {
        let messages: Arc<Mutex<Vec<String>>> = Arc::default();
        let subscriber = NoticeSubscriber {
            messages: Arc::clone(&messages),
            program: dispatcher::get_default(Dispatch::clone),
        };
        Self {
            messages,
            dispatch: Dispatch::new(subscriber),
        }
    }

    /// Returns the subscriber for a call: `future.with_subscriber(collector.dispatch())`.
    pub(crate) fn dispatch(&self) -> Dispatch {
        self.dispatch.clone()
    }

    /// Removes and returns the messages since the last call, each text once.
    pub(crate) fn take(&self) -> Vec<Notice> {
        let messages =
            std::mem::take(&mut *self.messages.lock().unwrap_or_else(PoisonError::into_inner));
        let mut notices: Vec<Notice> = Vec::new();
        for message in messages {
            if !notices.iter().any(|notice| notice.message == message) {
                notices.push(Notice::new("INFO", message));
            }
        }
        notices
    }
}

impl std::fmt::Debug for NoticeCollector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NoticeCollector")
    }
}

struct NoticeSubscriber {
    messages: Arc<Mutex<Vec<String>>>,
    /// The subscriber of the program.
    program: Dispatch,
}

fn is_server_message(metadata: &Metadata<'_>) -> bool {
    metadata.target() == TIBERIUS_TARGET && *metadata.level() == Level::DEBUG
}

impl Subscriber for NoticeSubscriber {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_server_message(metadata) || self.program.enabled(metadata)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.program.new_span(span)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.program.record(span, values);
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.program.record_follows_from(span, follows);
    }

    fn event(&self, event: &Event<'_>) {
        if is_server_message(event.metadata()) {
            let mut visitor = MessageVisitor(String::new());
            event.record(&mut visitor);
            let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
            if messages.len() < MAX_MESSAGES && !visitor.0.trim().is_empty() {
                messages.push(visitor.0);
            }
        }
        if self.program.enabled(event.metadata()) {
            self.program.event(event);
        }
    }

    fn enter(&self, span: &Id) {
        self.program.enter(span);
    }

    fn exit(&self, span: &Id) {
        self.program.exit(span);
    }
}

/// Reads the text of an event.
struct MessageVisitor(String);

impl Visit for MessageVisitor {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
