//! The runtime of a command, and the signals that end its work.

use lockage::{Error, ErrorKind, Interrupt, Result};

use crate::signals;

/// Does a command's work, and asks it to stop on the first signal.
pub(crate) fn until_done<T>(
    interrupt: &Interrupt,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    signals::listen(interrupt.clone())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Error::new(ErrorKind::Unexpected, "cannot start the runtime").with_source(error)
        })?;
    let done = runtime.block_on(work);
    // A look-up of a host's name may still hang on its thread, and nobody waits for its answer.
    runtime.shutdown_background();
    done
}
