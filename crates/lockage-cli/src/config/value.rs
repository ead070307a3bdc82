//! From the text of a setting to what it means.

use std::time::Duration;

use lockage::{ForeignLocks, DatabaseUrl, Error, LockKey, LockStrategy, LockWait, Result};

use super::layer::Given;
use crate::output::redact::redact;

const TIMES: &str = "write 500ms, 30s, 5m or 1h";

pub(super) fn url(given: &Given) -> Result<DatabaseUrl> {
    DatabaseUrl::parse(given.text.trim()).map_err(|error| told(given, &error))
}

pub(super) fn lock_id(given: &Given) -> Result<LockKey> {
    match given.text.trim().parse() {
        Ok(id) => Ok(LockKey::id(id)),
        Err(_) => Err(given
            .wrong(format!(
                "`{}` is not a whole number of 64 bits",
                shown(given)
            ))
            .with_hint("a lock by name is given with --lock-name")),
    }
}

pub(super) fn lock_name(given: &Given) -> Result<LockKey> {
    LockKey::named(&given.text).map_err(|error| told(given, &error))
}

pub(super) fn lock_strategy(given: &Given) -> Result<LockStrategy> {
    given
        .text
        .trim()
        .parse()
        .map_err(|error| told(given, &error))
}

/// Words between commas or blanks.
pub(super) fn align(given: &Given) -> Result<ForeignLocks> {
    ForeignLocks::parse(given.text.split([',', ' '])).map_err(|error| told(given, &error))
}

/// The core's word on a value, with where the value stands.
fn told(given: &Given, error: &Error) -> Error {
    let wrong = given.wrong(redact(error.message()));
    match error.hint() {
        Some(hint) => wrong.with_hint(hint),
        None => wrong,
    }
}

pub(super) fn wait(given: &Given) -> Result<LockWait> {
    match given.text.trim() {
        "no" => Ok(LockWait::Never),
        "forever" => Ok(LockWait::Forever),
        _ => time(given, ", or `no`, or `forever`").map(LockWait::For),
    }
}

pub(super) fn duration(given: &Given) -> Result<Duration> {
    some(given, time(given, "")?, "")
}

/// A limit, which may be none.
pub(super) fn limit(given: &Given) -> Result<Option<Duration>> {
    match given.text.trim() {
        "none" => Ok(None),
        _ => some(given, time(given, ", or `none`")?, ", or `none`").map(Some),
    }
}

pub(super) fn switch(given: &Given) -> Result<bool> {
    match given.text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(given.wrong(format!("`{}` is neither true nor false", shown(given)))),
    }
}

fn time(given: &Given, or: &str) -> Result<Duration> {
    parse_time(given.text.trim()).ok_or_else(|| {
        given
            .wrong(format!("`{}` is not a time", shown(given)))
            .with_hint(format!("{TIMES}{or}"))
    })
}

/// A time in which something can be done.
fn some(given: &Given, time: Duration, or: &str) -> Result<Duration> {
    if time.is_zero() {
        return Err(given
            .wrong(format!("`{}` is no time at all", shown(given)))
            .with_hint(format!("{TIMES}{or}")));
    }
    Ok(time)
}

/// `5m`; nothing that clocks could not tell the end of.
pub(crate) fn parse_time(text: &str) -> Option<Duration> {
    humantime::parse_duration(text)
        .ok()
        .filter(|time| *time <= LONGEST)
}

/// A hundred years.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A name that is not empty.
pub(super) fn name(given: &Given) -> Result<String> {
    if given.text.trim().is_empty() {
        return Err(given.wrong("the name is empty"));
    }
    Ok(given.text.clone())
}

fn shown(given: &Given) -> String {
    redact(&given.text).escape_debug().to_string()
}
