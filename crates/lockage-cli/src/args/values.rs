//! Values that clap checks.

use std::num::NonZeroUsize;
use std::time::Duration;

use lockage::Version;

use crate::config::parse_time;

/// A version, with the message of the core.
pub(super) fn version(text: &str) -> Result<Version, String> {
    text.parse()
        .map_err(|_| "a version is an integer, dotted integers or a timestamp".to_owned())
}

/// A number of steps: at least one.
pub(super) fn steps(text: &str) -> Result<usize, String> {
    text.parse::<NonZeroUsize>()
        .map(NonZeroUsize::get)
        .map_err(|_| "at least one step".to_owned())
}

/// `30s`.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    parse_time(text).ok_or_else(|| "write 500ms, 30s, 5m or 1h".to_owned())
}

/// A time, or no end at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience(pub(crate) Option<Duration>);

/// `5m` or `forever`.
pub(super) fn patience(text: &str) -> Result<Patience, String> {
    if text == "forever" {
        return Ok(Patience(None));
    }
    parse_time(text)
        .map(|time| Patience(Some(time)))
        .ok_or_else(|| "write 500ms, 30s, 5m, 1h or forever".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked() {
        assert_eq!(version("2.10").unwrap().to_string(), "2.10");
        assert!(version("x").is_err());
        assert_eq!(steps("3"), Ok(3));
        assert!(steps("0").is_err());
        assert_eq!(patience("5m"), Ok(Patience(Some(Duration::from_secs(300)))));
        assert_eq!(patience("forever"), Ok(Patience(None)));
        assert!(patience("5").is_err());
        assert_eq!(time("30s"), Ok(Duration::from_secs(30)));
        assert!(time("forever").is_err());
        assert!(time("18446744073709551615s").is_err());
    }
}
