//! Parsers for the values of flags.

use std::num::NonZeroUsize;
use std::time::Duration;

use lockage::Version;

use crate::config::parse_duration;

/// Parses a version.
pub(super) fn parse_version(text: &str) -> Result<Version, String> {
    text.parse()
        .map_err(|_| "a version is an integer, dotted integers or a timestamp".to_owned())
}

/// Parses a number of steps, which is at least one.
pub(super) fn parse_steps(text: &str) -> Result<usize, String> {
    text.parse::<NonZeroUsize>()
        .map(NonZeroUsize::get)
        .map_err(|_| "at least one step".to_owned())
}

/// Parses a duration such as `30s`.
pub(super) fn parse_timeout(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "write 500ms, 30s, 5m or 1h".to_owned())
}

/// How long to wait; `None` is without limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WaitTimeout(pub(crate) Option<Duration>);

/// Parses a duration such as `5m`, or `forever`.
pub(super) fn parse_wait_timeout(text: &str) -> Result<WaitTimeout, String> {
    if text == "forever" {
        return Ok(WaitTimeout(None));
    }
    parse_duration(text)
        .map(|duration| WaitTimeout(Some(duration)))
        .ok_or_else(|| "write 500ms, 30s, 5m, 1h or forever".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_parsed_or_rejected() {
        assert_eq!(parse_version("2.10").unwrap().to_string(), "2.10");
        assert!(parse_version("x").is_err());
        assert_eq!(parse_steps("3"), Ok(3));
        assert!(parse_steps("0").is_err());
        let five_minutes = WaitTimeout(Some(Duration::from_secs(300)));
        assert_eq!(parse_wait_timeout("5m"), Ok(five_minutes));
        assert_eq!(parse_wait_timeout("forever"), Ok(WaitTimeout(None)));
        assert!(parse_wait_timeout("5").is_err());
        assert_eq!(parse_timeout("30s"), Ok(Duration::from_secs(30)));
        assert!(parse_timeout("forever").is_err());
        assert!(parse_timeout("18446744073709551615s").is_err());
    }
}
