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

#[cfg(all(test, not(feature = "tls")))]
mod tests {
    use lockage_core::{ConnectOptions, ErrorKind};

    use super::*;

    #[test]
    fn without_the_feature_only_what_needs_no_tls_is_taken() {
        let made = |url: &str| Tls::new(&Address::parse(&ConnectOptions::new(url)?)?);
        assert!(made("postgres://db/shop?sslmode=disable").is_ok());
        assert!(made("postgres://db/shop").is_ok());
        for mode in ["require", "verify-ca", "verify-full"] {
            let error = made(&format!("postgres://db/shop?sslmode={mode}")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(error.message().contains("TLS"), "{error}");
            assert!(
                error
                    .hint()
                    .is_some_and(|hint| hint.contains("feature `tls`"))
            );
        }
    }
}
