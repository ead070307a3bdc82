use std::time::Duration;

/// The directives of a script: comment lines `-- lockage: …` before the first statement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Directives {
    /// Whether the script runs in a transaction. `no-transaction` sets it to `false`: each statement commits by itself.
    pub transaction: bool,
    /// `statement-timeout=5m`: the time limit for a statement.
    pub statement_timeout: Option<Duration>,
    /// `ddl-lock-timeout=2s`: the time that a statement may wait for the lock of a table.
    pub ddl_lock_timeout: Option<Duration>,
    /// Whether foreign keys are checked by each statement. `foreign-keys=off` (SQLite) sets it to `false`: they are checked once,
    /// before the commit.
    pub foreign_keys: bool,
}

impl Default for Directives {
    fn default() -> Self {
        Self {
            transaction: true,
            statement_timeout: None,
            ddl_lock_timeout: None,
            foreign_keys: true,
        }
    }
}

/// An invalid directive, with its line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DirectiveError {
    pub(super) line: u32,
    pub(super) message: String,
    pub(super) line_text: String,
}

const DIRECTIVES: &str =
    "no-transaction, statement-timeout=<duration>, ddl-lock-timeout=<duration>, foreign-keys=off";

/// Parses one line of the header of a script. Returns `false` if the line does not belong to the header.
///
/// `line` is the complete line for messages.
pub(super) fn read_line(
    text: &str,
    line: &str,
    number: u32,
    into: &mut Directives,
) -> Result<bool, DirectiveError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(true);
    }
    let Some(comment) = text.strip_prefix("--") else {
        return Ok(false);
    };
    let Some(directive) = directive(comment) else {
        return Ok(true);
    };
    apply(directive, into)
        .map(|()| true)
        .map_err(|message| DirectiveError {
            line: number,
            message,
            line_text: line.to_owned(),
        })
}

/// Returns an error for a directive after the header, where it has no effect.
pub(super) fn reject_misplaced(text: &str, line: &str, number: u32) -> Result<(), DirectiveError> {
    let found = text.strip_prefix("--").and_then(directive);
    // An invalid directive can be a part of a string or a comment that only looks like one.
    match found.map(|directive| (directive, apply(directive, &mut Directives::default()))) {
        Some((directive, Ok(()))) => Err(DirectiveError {
            line: number,
            message: format!("the directive `{directive}` must be above the first statement"),
            line_text: line.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Returns the text of a directive, if the comment is one.
fn directive(comment: &str) -> Option<&str> {
    const PREFIX: &str = "lockage:";
    let comment = comment.trim_start();
    let prefix = comment.get(..PREFIX.len())?;
    prefix
        .eq_ignore_ascii_case(PREFIX)
        .then(|| comment[PREFIX.len()..].trim())
}

fn apply(directive: &str, into: &mut Directives) -> Result<(), String> {
    let (key, value) = match directive.split_once('=') {
        Some((key, value)) => (key.trim(), Some(value.trim())),
        None => (directive, None),
    };
    match (key, value) {
        ("no-transaction", None) => into.transaction = false,
        ("statement-timeout", Some(value)) => into.statement_timeout = Some(duration(value)?),
        ("ddl-lock-timeout", Some(value)) => into.ddl_lock_timeout = Some(duration(value)?),
        ("foreign-keys", Some("off")) => into.foreign_keys = false,
        ("foreign-keys", Some("on")) => into.foreign_keys = true,
        ("no-transaction", Some(_)) => {
            return Err("the directive `no-transaction` takes no value".into());
        }
        ("statement-timeout" | "ddl-lock-timeout", None) => {
            return Err(format!("the directive `{key}` needs a duration: {key}=5s"));
        }
        ("foreign-keys", _) => {
            return Err("the directive `foreign-keys` takes `off` or `on`".into());
        }
        _ => {
            return Err(format!(
                "unknown directive `{directive}`; use one of {DIRECTIVES}"
            ));
        }
    }
    Ok(())
}

/// Parses `250ms`, `5s`, `5m` or `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let invalid = || format!("`{text}` is not a duration; write 250ms, 5s, 5m or 1h");
    let number: u64 = text[..digits].parse().map_err(|_| invalid())?;
    let unit = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(invalid()),
    };
    if number == 0 {
        return Err(format!(
            "`{text}` is not longer than zero; remove the directive for no limit"
        ));
    }
    number
        .checked_mul(unit)
        .map(Duration::from_millis)
        .ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::super::scan::{Scan, ScanError};
    use super::*;

    fn read(script: &str) -> Result<Directives, DirectiveError> {
        let mut scan = Scan::default();
        let scanned = scan.update(script.as_bytes());
        match scanned.and_then(|()| scan.finish()) {
            Ok((directives, ..)) => Ok(directives),
            Err(ScanError::Directive(error)) => Err(error),
            Err(_) => panic!("the script is plain text"),
        }
    }

    #[test]
    fn directives_are_read_from_header_comments() {
        let read = read("-- a comment\n\n--lockage: no-transaction\n-- lockage: statement-timeout=5m\n-- lockage: ddl-lock-timeout = 250ms\n-- lockage: foreign-keys=off\nSELECT 1;\n-- lockage: nonsense").unwrap();
        assert!(!read.transaction);
        assert!(!read.foreign_keys);
        assert_eq!(read.statement_timeout, Some(Duration::from_secs(300)));
        assert_eq!(read.ddl_lock_timeout, Some(Duration::from_millis(250)));
        assert_eq!(
            super::tests::read("SELECT 1;").unwrap(),
            Directives::default()
        );
    }

    #[test]
    fn header_includes_block_comments_and_ignores_case() {
        for head in [
            "/* license */\n-- lockage: no-transaction\nSELECT 1;",
            "/* license\n * of\n */ -- Lockage: no-transaction\n",
            "/* a */ /* b\n*/\n\n--LOCKAGE:no-transaction",
        ] {
            assert!(!read(head).unwrap().transaction, "{head}");
        }
        for head in [
            "/*\n-- lockage: no-transaction\n*/ SELECT 1;",
            "SELECT '\n-- lockage: in a string\n';",
        ] {
            assert!(read(head).unwrap().transaction, "{head}");
        }
    }

    #[test]
    fn directive_after_header_is_an_error() {
        let long = format!("SELECT '{}';\n", "x".repeat(200_000));
        for above in ["SELECT 1;\n", "/*! SELECT 1 */;\n", "# of MySQL\n", &long] {
            let error = read(&format!("{above}\n  -- lockage: no-transaction\n")).unwrap_err();
            assert_eq!(error.line, 3);
            assert!(
                error
                    .message
                    .contains("`no-transaction` must be above the first statement"),
                "{}",
                error.message
            );
        }
    }

    #[test]
    fn invalid_directive_is_reported_with_line() {
        for (head, part) in [
            (
                "-- lockage: no-transactoin",
                "unknown directive `no-transactoin`",
            ),
            ("-- lockage: no-transaction=1", "takes no value"),
            ("-- lockage: statement-timeout=5", "not a duration"),
            ("-- lockage: statement-timeout=5é", "not a duration"),
            ("-- lockage: statement-timeout=0s", "not longer than zero"),
            ("-- lockage: ddl-lock-timeout", "needs a duration"),
            ("-- lockage: foreign-keys=maybe", "takes `off` or `on`"),
            ("-- lockage:", "unknown directive"),
        ] {
            let error = read(&format!("-- first\n{head}\n")).unwrap_err();
            assert_eq!(error.line, 2);
            assert!(error.message.contains(part), "{}", error.message);
        }
    }
}
