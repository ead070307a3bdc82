//! Converts a panic of the driver to an error: a reply that violates the protocol makes it panic.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// A panic of the driver, with its message.
#[derive(Debug)]
pub(crate) struct DriverPanic(String);

impl fmt::Display for DriverPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the driver cannot read a reply of the server: {}",
            self.0
        )
    }
}

impl std::error::Error for DriverPanic {}

/// Runs a call of the driver. The connection must not be used again after a panic.
///
/// # Errors
/// [`mysql_async::Error::Other`] with a [`DriverPanic`].
pub(crate) async fn catch_panic<T>(call: impl Future<Output = T>) -> Result<T, mysql_async::Error> {
    let mut call = pin!(call);
    std::future::poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => {
                let panic = DriverPanic(message(&*panic).to_owned());
                Poll::Ready(Err(mysql_async::Error::Other(Box::new(panic))))
            }
        }
    })
    .await
}

fn message(panic: &(dyn Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        return text;
    }
    panic
        .downcast_ref::<String>()
        .map_or("no message", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{into_error, is_driver_panic};
    use lockage_core::ErrorKind;

    #[tokio::test]
    async fn panic_of_driver_is_an_error() {
        assert_eq!(catch_panic(async { 7 }).await.unwrap(), 7);
        let failed = catch_panic(async { panic!("index {} out of range", 3) }).await;
        let error = into_error(failed.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::SessionLost);
        assert!(error.message().contains("index 3 out of range"), "{error}");
        assert!(is_driver_panic(&error));
    }
}
