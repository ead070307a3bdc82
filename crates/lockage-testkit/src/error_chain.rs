use std::error::Error;
use std::fmt::Write;

/// An error with its causes, and with the kind and the hint where it is one of Lockage's.
pub fn format_error_chain(failure: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    if let Some(error) = failure.downcast_ref::<lockage_core::Error>() {
        let _ = write!(text, "[{}] ", error.kind());
    }
    let _ = write!(text, "{failure}");
    let mut cause = failure.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
