use std::time::Duration;

/// What the comment lines `-- lockage: …` at the head of a script ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Directives {
    /// `false` by `no-transaction`: each statement commits by itself.
    pub transaction: bool,
    /// `statement-timeout=5m`: how long one statement may run.
    pub statement_timeout: Option<Duration>,
    /// `ddl-lock-timeout=2s`: how long a statement may wait for a table.
    pub ddl_lock_timeout: Option<Duration>,
    /// `false` by `foreign-keys=off` (SQLite): keys are checked once, before the commit.
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

/// A mistake in a directive, with its line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DirectiveError {
    pub(super) line: u32,
    pub(super) message: String,
    pub(super) line_text: String,
}

const KNOWN: &str =
    "no-transaction, statement-timeout=<duration>, ddl-lock-timeout=<duration>, foreign-keys=off";

/// Reads one line of the head of a script into the directives. `false`: the head is over.
pub(super) fn read_line(
    line: &str,
    number: u32,
    into: &mut Directives,
) -> Result<bool, DirectiveError> {
    let text = line.trim();
    if text.is_empty() {
        return Ok(true);
    }
    let Some(comment) = text.strip_prefix("--") else {
        return Ok(false);
    };
    let Some(directive) = comment.trim_start().strip_prefix("lockage:") else {
        return Ok(true);
    };
    apply(directive.trim(), into)
        .map(|()| true)
        .map_err(|message| DirectiveError {
            line: number,
            message,
            line_text: line.to_owned(),
        })
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
                "unknown directive `{directive}`; known are {KNOWN}"
            ));
        }
    }
    Ok(())
}

/// Reads `250ms`, `5s`, `5m`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let wrong = || format!("`{text}` is not a duration; write 250ms, 5s, 5m or 1h");
    let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
    let unit = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(unit)
        .map(Duration::from_millis)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str) -> Result<Directives, DirectiveError> {
        let mut directives = Directives::default();
        for (line, number) in head.lines().zip(1..) {
            if !read_line(line, number, &mut directives)? {
                break;
            }
        }
        Ok(directives)
    }

    #[test]
    fn directives_stand_in_the_comments_at_the_head() {
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
    fn mistakes_are_told_with_their_line() {
        for (head, part) in [
            (
                "-- lockage: no-transactoin",
                "unknown directive `no-transactoin`",
            ),
            ("-- lockage: no-transaction=1", "takes no value"),
            ("-- lockage: statement-timeout=5", "not a duration"),
            ("-- lockage: statement-timeout=5é", "not a duration"),
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
