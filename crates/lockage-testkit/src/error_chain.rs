use std::error::Error;
use std::fmt::Write;

use lockage_core::RunError;

/// Returns the message of an error and of its causes. An error of Lockage has its kind in front.
pub fn format_error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let failed_run = error.downcast_ref::<RunError>().map(RunError::error);
    if let Some(error) = error.downcast_ref::<lockage_core::Error>().or(failed_run) {
        let _ = write!(text, "[{}] ", error.kind());
    }
    let _ = write!(text, "{error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
