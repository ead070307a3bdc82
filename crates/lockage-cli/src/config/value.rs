//! Parsers from the text of a setting to its value.

use std::time::Duration;

use lockage::redact::mask_secrets;
use lockage::{DatabaseUrl, Error, ForeignLocks, LockKey, LockStrategy, LockWait, Result};

use super::layer::SettingValue;

const DURATION_HELP: &str = "write 500ms, 30s, 5m or 1h";

/// A hundred years. Longer durations overflow clocks.
const MAX_DURATION: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

pub(super) fn url(value: &SettingValue) -> Result<DatabaseUrl> {
    DatabaseUrl::parse(value.text.trim()).map_err(|error| invalid_value(value, &error))
}

pub(super) fn lock_id(value: &SettingValue) -> Result<LockKey> {
    match value.text.trim().parse() {
        Ok(id) => Ok(LockKey::id(id)),
        Err(_) => Err(value
            .error(format!("`{}` is not a 64-bit integer", format_value(value)))
            .with_hint("use --lock-name for a lock with a name")),
    }
}

pub(super) fn lock_name(value: &SettingValue) -> Result<LockKey> {
    LockKey::named(&value.text).map_err(|error| invalid_value(value, &error))
}

pub(super) fn lock_strategy(value: &SettingValue) -> Result<LockStrategy> {
    value
        .text
        .trim()
        .parse()
        .map_err(|error| invalid_value(value, &error))
}

/// Parses words that are separated by commas or spaces.
pub(super) fn foreign_locks(value: &SettingValue) -> Result<ForeignLocks> {
    ForeignLocks::parse(value.text.split([',', ' '])).map_err(|error| invalid_value(value, &error))
}

/// Adds the source of a value to an error of the core.
fn invalid_value(value: &SettingValue, error: &Error) -> Error {
    let invalid = value.error(mask_secrets(error.message()));
    match error.hint() {
        Some(hint) => invalid.with_hint(hint),
        None => invalid,
    }
}

pub(super) fn wait(value: &SettingValue) -> Result<LockWait> {
    match value.text.trim() {
        "no" => Ok(LockWait::Never),
        "forever" => Ok(LockWait::Forever),
        _ => any_duration(value, ", or `no`, or `forever`").map(LockWait::For),
    }
}

/// Parses a duration greater than zero.
pub(super) fn duration(value: &SettingValue) -> Result<Duration> {
    positive_duration(value, "")
}

/// Parses a duration greater than zero, or `none`.
pub(super) fn duration_or_none(value: &SettingValue) -> Result<Option<Duration>> {
    match value.text.trim() {
        "none" => Ok(None),
        _ => positive_duration(value, ", or `none`").map(Some),
    }
}

pub(super) fn switch(value: &SettingValue) -> Result<bool> {
    match value.text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(value.error(format!(
            "`{}` is neither true nor false",
            format_value(value)
        ))),
    }
}

/// Parses a duration. `alternatives` is appended to the hint.
fn any_duration(value: &SettingValue, alternatives: &str) -> Result<Duration> {
    parse_duration(value.text.trim()).ok_or_else(|| {
        value
            .error(format!("`{}` is not a duration", format_value(value)))
            .with_hint(format!("{DURATION_HELP}{alternatives}"))
    })
}

fn positive_duration(value: &SettingValue, alternatives: &str) -> Result<Duration> {
    let duration = any_duration(value, alternatives)?;
    if duration.is_zero() {
        return Err(value
            .error(format!("`{}` is zero", format_value(value)))
            .with_hint(format!("{DURATION_HELP}{alternatives}")));
    }
    Ok(duration)
}

/// Parses a duration such as `5m`, up to a hundred years.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text)
        .ok()
        .filter(|duration| *duration <= MAX_DURATION)
}

/// Returns a name that is not empty.
pub(super) fn name(value: &SettingValue) -> Result<String> {
    if value.text.trim().is_empty() {
        return Err(value.error("the name is empty"));
    }
    Ok(value.text.clone())
}

/// Returns the text of a value for a message.
fn format_value(value: &SettingValue) -> String {
    mask_secrets(&value.text).escape_debug().to_string()
}
