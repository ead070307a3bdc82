//! The error of a connection that was not established.

use std::io;

/// Why a connection was not established.
#[derive(Debug)]
pub(crate) enum TransportError {
    /// The network failed, or the server's first reply is invalid.
    Io(io::Error),
    /// The connection could not be encrypted, or the certificate is not trusted.
    #[cfg_attr(
        not(feature = "tls"),
        expect(dead_code, reason = "only TLS reports it")
    )]
    Tls(io::Error),
    /// The settings cannot be used. Nothing was sent.
    Config(String),
    /// The driver reported an error.
    Driver(tiberius::error::Error),
}

impl From<io::Error> for TransportError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
