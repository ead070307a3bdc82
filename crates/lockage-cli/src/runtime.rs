//! The async runtime of a command.

use lockage::{Error, ErrorKind, Interrupt};

use crate::signals;

/// Blocks until a command's work is done. The first signal triggers `interrupt`.
pub(crate) fn block_on_with_signals<T, E: From<Error>>(
    interrupt: &Interrupt,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    signals::listen(interrupt.clone())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Error::new(ErrorKind::Unexpected, "cannot start the runtime").with_source(error)
        })?;
    let result = runtime.block_on(work);
    // A DNS lookup may still block a thread of the runtime. Dropping the runtime would wait for it.
    runtime.shutdown_background();
    result
}
