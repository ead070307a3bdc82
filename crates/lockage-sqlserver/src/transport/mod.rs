//! Connects to a server over TCP, with TLS by rustls and ring.
//!
//! The driver's own TLS would add a second TLS library. So this module sends the first message of the protocol, which
//! negotiates encryption, and answers the driver's first message itself. The driver runs on a stream that is already encrypted,
//! and sees a server without encryption.

mod connect;
mod error;
mod prelogin;
mod socket_probe;
mod stream;
#[cfg(feature = "tls")]
mod tds_framed;
#[cfg(feature = "tls")]
mod tls;

pub(crate) use connect::connect;
pub(crate) use error::TransportError;
pub(crate) use socket_probe::SocketProbe;
pub(crate) use stream::Stream;
