//! Errors as a person reads them: the message, the place with the line and a caret, the causes, what to do.

use std::error::Error as _;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use lockage::{Error, ErrorKind, Location, Report};

use super::redact::redact;

/// How many further mistakes are shown in full.
const SHOWN: usize = 20;

/// The error, and those that were found in the same go, with colours.
pub(crate) fn render(error: &Error) -> String {
    let related = error.related();
    let mut out = one(error);
    for other in related.iter().take(SHOWN) {
        out.push('\n');
        out.push_str(&one(other));
    }
    if related.len() > SHOWN {
        out.push_str(&format!("\nand {} more\n", related.len() - SHOWN));
    }
    out
}

fn one(error: &Error) -> String {
    let message = tidy(error.message());
    let mut group = Level::ERROR
        .primary_title(message)
        .elements(Vec::<Origin>::new());
    if let Some(location) = error.location() {
        group = place(group, location);
    }
    for note in notes(error) {
        group = group.element(Level::NOTE.message(note));
    }
    if let Some(hint) = error.hint() {
        group = group.element(Level::HELP.message(tidy(hint)));
    }
    let mut out = Renderer::styled().render(&[group]);
    out.push('\n');
    out
}

fn place<'a>(group: Group<'a>, location: &'a Location) -> Group<'a> {
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

fn notes(error: &Error) -> Vec<String> {
    let mut notes: Vec<String> = error
        .context()
        .map(|(key, value)| format!("{}: {}", key.replace('_', " "), tidy(value)))
        .collect();
    notes.extend(causes(error).map(|cause| format!("caused by: {cause}")));
    notes.extend(
        error
            .report()
            .and_then(|report| before(error.kind(), report)),
    );
    notes
}

/// The causes, from the nearest to the root; one that only repeats what was said is left out.
pub(crate) fn causes(error: &Error) -> impl Iterator<Item = String> {
    let mut said = tidy(error.message());
    std::iter::successors(error.source(), |cause: &&dyn std::error::Error| {
        (*cause).source()
    })
    .filter_map(move |cause| {
        let text = tidy(&cause.to_string());
        // `ERROR: …`, `Error code 1: …`: the same in a driver's words. Its further lines are the details that were told with it.
        let first = text.lines().next().unwrap_or_default();
        let bare = first.split_once(": ").map_or(first, |(_, rest)| rest);
        if said.contains(first) || said.contains(bare) {
            return None;
        }
        said.clone_from(&text);
        Some(text)
    })
}

/// What the run had done before it failed.
fn before(kind: ErrorKind, report: &Report) -> Option<String> {
    let names: Vec<String> = report
        .applied
        .iter()
        .map(|applied| applied.version.as_ref().unwrap_or(&applied.name).clone())
        .collect();
    match names.as_slice() {
        // Whoever stops a run asks what stands.
        [] => (kind == ErrorKind::Interrupted).then(|| "nothing was done before that".to_owned()),
        [one] => Some(format!("done before that, and kept: {one}")),
        [first, .., last] => Some(format!(
            "done before that, and kept: {first} to {last} ({} migrations)",
            names.len()
        )),
    }
}

/// Without passwords, and without the white space that a server ends its messages with.
fn tidy(text: &str) -> String {
    redact(text).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(error: &Error) -> String {
        anstream::adapter::strip_str(&render(error)).to_string()
    }

    #[test]
    fn a_failing_statement_is_shown_with_its_line_and_a_caret() {
        let error = Error::new(ErrorKind::MigrationFailed, "near \"TABEL\": syntax error")
            .with_location(
                Location::at("migrations/V2__a.sql", 3, 8)
                    .with_line_text("CREATE TABEL ü (id int);"),
            )
            .with_context("sqlstate", "42601")
            .with_hint("mend it");
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
  = help: mend it
"
        );
    }

    #[test]
    fn the_caret_stands_behind_characters_of_several_bytes_and_at_the_end() {
        let line = |column| {
            let error = Error::new(ErrorKind::MigrationFailed, "m")
                .with_location(Location::at("f.sql", 1, column).with_line_text("äö x"));
            plain(&error)
        };
        assert!(line(4).contains("1 | äö x\n  |    ^\n"), "{}", line(4));
        assert!(line(5).contains("1 | äö x\n  |     ^\n"), "{}", line(5));
        assert!(line(99).contains("1 | äö x\n"), "{}", line(99));
        let bare = Error::new(ErrorKind::InvalidConfig, "m").with_location(Location::at(
            "lockage.toml",
            2,
            3,
        ));
        assert!(
            plain(&bare).contains("--> lockage.toml:2:3"),
            "{}",
            plain(&bare)
        );
    }

    #[test]
    fn a_cause_that_says_the_same_again_is_left_out() {
        let error = Error::new(ErrorKind::Connect, "cannot connect to x: no such user")
            .with_source(std::io::Error::other(
                "FATAL: no such user\nDETAIL: told before",
            ));
        assert_eq!(causes(&error).count(), 0);
        let error = Error::new(ErrorKind::Connect, "cannot connect to x")
            .with_source(std::io::Error::other("FATAL: no such user"));
        assert_eq!(causes(&error).collect::<Vec<_>>(), ["FATAL: no such user"]);
    }

    #[test]
    fn causes_and_related_errors_are_told_without_passwords() {
        let cause = std::io::Error::other("cannot parse postgres://app:hunter2@db");
        let other = Error::new(ErrorKind::InvalidMigration, "second");
        let error = Error::new(ErrorKind::Connect, "first\n  line two ").with_source(cause);
        let error = Error::combine([error, other]).unwrap();
        let shown = plain(&error);
        assert!(shown.starts_with("error: first"), "{shown}");
        assert!(
            shown.contains("note: caused by: cannot parse postgres://app:***@db"),
            "{shown}"
        );
        assert!(shown.contains("\nerror: second\n"), "{shown}");
    }
}
