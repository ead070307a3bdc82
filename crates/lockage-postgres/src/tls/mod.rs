//! Encryption, by rustls where the feature `tls` is on.

#[cfg(feature = "tls")]
mod verify;

use lockage_core::Result;
#[cfg(feature = "tls")]
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::address::{Address, Trust};

/// Makes connections encrypted, or not.
#[derive(Clone)]
pub(crate) enum Tls {
    Off,
    #[cfg(feature = "tls")]
    On(MakeRustlsConnect),
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Off => "Off",
            #[cfg(feature = "tls")]
            Self::On(_) => "On",
        })
    }
}

#[cfg(feature = "tls")]
impl Tls {
    pub(crate) fn new(address: &Address) -> Result<Self> {
        use tokio_postgres::config::SslNegotiation;

        if address.trust == Trust::Disable {
            return Ok(Self::Off);
        }
        let mut config = verify::client(address)?;
        if address.config.get_ssl_negotiation() == SslNegotiation::Direct {
            config.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        Ok(Self::On(MakeRustlsConnect::new(config)))
    }
}

#[cfg(not(feature = "tls"))]
impl Tls {
    pub(crate) fn new(address: &Address) -> Result<Self> {
        use lockage_core::{Error, ErrorKind};

        match address.trust {
            Trust::Disable | Trust::Prefer => Ok(Self::Off),
            trust => Err(Error::new(
                ErrorKind::InvalidConfig,
                format!("{} asks for TLS ({trust:?}), which this program was built without", address.shown),
            )
            .with_hint("build it with the feature `tls` of lockage-postgres, which is on unless it was turned off")),
        }
    }
}
