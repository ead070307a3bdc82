//! Errors for a person: message, source line with a caret, causes and hint.

use std::error::Error as _;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use lockage::redact::mask_secrets;
use lockage::{Error, ErrorKind, Location, Report, RunError};

/// The maximum number of related errors that are shown.
const MAX_RELATED_ERRORS: usize = 20;

/// Formats an error and its related errors, with colours.
pub(crate) fn render(error: &RunError) -> String {
    let related = error.related();
    let mut out = render_one(error, error.report());
    for other in related.iter().take(MAX_RELATED_ERRORS) {
        out.push('\n');
        out.push_str(&render_one(other, None));
    }
    if related.len() > MAX_RELATED_ERRORS {
        let more = related.len() - MAX_RELATED_ERRORS;
        out.push_str(&format!("\nand {more} more\n"));
    }
    out
}

fn render_one(error: &Error, report: Option<&Report>) -> String {
    let message = clean_text(error.message());
    let mut group = Level::ERROR
        .primary_title(message)
        .elements(Vec::<Origin>::new());
    if let Some(location) = error.location() {
        group = source_location(group, location);
    }
    for note in notes(error, report) {
        group = group.element(Level::NOTE.message(note));
    }
    if let Some(hint) = error.hint() {
        group = group.element(Level::HELP.message(clean_text(hint)));
    }
    let mut out = Renderer::styled().render(&[group]);
    out.push('\n');
    out
}

fn source_location<'a>(group: Group<'a>, location: &'a Location) -> Group<'a> {
    let (Some(line), Some(text)) = (location.line, &location.line_text) else {
        let mut origin = Origin::path(&*location.file);
        if let Some(line) = location.line {
            origin = origin.line(line as usize);
        }
        if let Some(column) = location.column {
            origin = origin.char_column(column as usize);
        }
        return group.element(origin);
    };
    let at = text
        .char_indices()
        .nth(location.column.unwrap_or(1).saturating_sub(1) as usize)
        .map_or(text.len(), |(at, _)| at);
    let end = at + text[at..].chars().next().map_or(0, char::len_utf8);
    group.element(
        Snippet::source(&**text)
            .line_start(line as usize)
            .path(&*location.file)
            .annotation(AnnotationKind::Primary.span(at..end)),
    )
}

/// Returns the context, the causes, and what the run did before it failed.
fn notes(error: &Error, report: Option<&Report>) -> Vec<String> {
    let mut notes: Vec<String> = error
        .context()
        .map(|(key, value)| format!("{}: {}", key.replace('_', " "), clean_text(value)))
        .collect();
    notes.extend(causes(error).map(|cause| format!("caused by: {cause}")));
    notes.extend(report.and_then(|report| completed_before(error.kind(), report)));
    notes
}

/// Returns the causes, from the nearest to the root. A cause that only repeats the text before it is left out.
pub(crate) fn causes(error: &Error) -> impl Iterator<Item = String> {
    let mut previous = clean_text(error.message());
    std::iter::successors(error.source(), |cause: &&dyn std::error::Error| {
        (*cause).source()
    })
    .filter_map(move |cause| {
        let text = clean_text(&cause.to_string());
        // Drivers repeat a server's message after a prefix such as `ERROR: ` or `Error code 1: `. The lines after the first are details
        // that the error's context already has.
        let first = text.lines().next().unwrap_or_default();
        let message = first.split_once(": ").map_or(first, |(_, rest)| rest);
        if previous.contains(first) || previous.contains(message) {
            return None;
        }
        previous.clone_from(&text);
        Some(text)
    })
}

/// Returns which migrations the run completed before it failed.
fn completed_before(kind: ErrorKind, report: &Report) -> Option<String> {
    let names: Vec<String> = report
        .applied
        .iter()
        .map(|applied| applied.version.as_ref().unwrap_or(&applied.name).clone())
        .collect();
    match names.as_slice() {
        // A user who interrupts a run needs to know that nothing changed.
        [] => (kind == ErrorKind::Interrupted).then(|| "no migration was completed".to_owned()),
        [version] => Some(format!("completed before the error: {version}")),
        [first, .., last] => Some(format!(
            "completed before the error: {first} to {last} ({} migrations)",
            names.len()
        )),
    }
}

/// Masks passwords and removes trailing white space, with which some servers end their messages.
pub(super) fn clean_text(text: &str) -> String {
    mask_secrets(text).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(error: &Error) -> String {
        anstream::adapter::strip_str(&render_one(error, None)).to_string()
    }

    #[test]
    fn failing_statement_is_shown_with_line_and_caret() {
        let error = Error::new(ErrorKind::MigrationFailed, "near \"TABEL\": syntax error")
            .with_location(
                Location::at("migrations/V2__a.sql", 3, 8)
                    .with_line_text("CREATE TABEL ü (id int);"),
            )
            .with_context("sqlstate", "42601")
            .with_hint("fix it");
        assert_eq!(
            plain(&error),
            "\
error: near \"TABEL\": syntax error
 --> migrations/V2__a.sql:3:8
  |
3 | CREATE TABEL ü (id int);
  |        ^
  |
  = note: sqlstate: 42601
  = help: fix it
"
        );
    }

    #[test]
    fn caret_counts_characters_and_may_be_at_line_end() {
        let line = |column| {
            let error = Error::new(ErrorKind::MigrationFailed, "m")
                .with_location(Location::at("f.sql", 1, column).with_line_text("äö x"));
            plain(&error)
        };
        assert!(line(4).contains("1 | äö x\n  |    ^\n"), "{}", line(4));
        assert!(line(5).contains("1 | äö x\n  |     ^\n"), "{}", line(5));
        assert!(line(99).contains("1 | äö x\n"), "{}", line(99));
        let without_text = Error::new(ErrorKind::InvalidConfig, "m").with_location(Location::at(
            "lockage.toml",
            2,
            3,
        ));
        assert!(
            plain(&without_text).contains("--> lockage.toml:2:3"),
            "{}",
            plain(&without_text)
        );
    }

    #[test]
    fn cause_that_repeats_the_message_is_left_out() {
        let error = Error::new(ErrorKind::Connect, "cannot connect to x: no such user")
            .with_source(std::io::Error::other(
                "FATAL: no such user\nDETAIL: shown before",
            ));
        assert_eq!(causes(&error).count(), 0);
        let error = Error::new(ErrorKind::Connect, "cannot connect to x")
            .with_source(std::io::Error::other("FATAL: no such user"));
        assert_eq!(causes(&error).collect::<Vec<_>>(), ["FATAL: no such user"]);
    }

    #[test]
    fn causes_and_related_errors_show_no_password() {
        let cause = std::io::Error::other("cannot parse postgres://app:hunter2@db");
        let other = Error::new(ErrorKind::InvalidMigration, "second");
        let error = Error::new(ErrorKind::Connect, "first\n  line two ").with_source(cause);
        let error = Error::combine([error, other]).unwrap();
        let shown = render(&error.into());
        let shown = anstream::adapter::strip_str(&shown).to_string();
        assert!(shown.starts_with("error: first"), "{shown}");
        assert!(
            shown.contains("note: caused by: cannot parse postgres://app:***@db"),
            "{shown}"
        );
        assert!(shown.contains("\nerror: second\n"), "{shown}");
    }
}
