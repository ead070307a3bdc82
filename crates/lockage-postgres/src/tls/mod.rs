//! TLS by rustls, with the feature `tls`.

#[cfg(feature = "tls")]
mod verify;

use lockage_core::Result;
#[cfg(feature = "tls")]
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::{ConnectConfig, SslMode};

/// Whether connections are encrypted, and with which connector.
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
    pub(crate) fn new(config: &ConnectConfig) -> Result<Self> {
        use tokio_postgres::config::SslNegotiation;

        if config.ssl_mode == SslMode::Disable {
            return Ok(Self::Off);
        }
        let mut client = verify::client_config(config)?;
        if config.driver.get_ssl_negotiation() == SslNegotiation::Direct {
            client.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        Ok(Self::On(MakeRustlsConnect::new(client)))
    }
}

#[cfg(not(feature = "tls"))]
impl Tls {
    pub(crate) fn new(config: &ConnectConfig) -> Result<Self> {
        use lockage_core::{Error, ErrorKind};

        match config.ssl_mode {
            SslMode::Disable | SslMode::Prefer => Ok(Self::Off),
            mode => Err(Error::new(
                ErrorKind::InvalidConfig,
                format!(
                    "{} requires TLS ({mode:?}), but this program was built without it",
                    config.display_url
                ),
            )
            .with_hint("build with the feature `tls` of lockage-postgres, which is on by default")),
        }
    }
}

#[cfg(all(test, not(feature = "tls")))]
mod tests {
    use lockage_core::{ConnectOptions, ErrorKind};

    use super::*;

    #[test]
    fn sslmode_that_requires_tls_is_rejected_without_the_feature() {
        let tls = |url: &str| Tls::new(&ConnectConfig::parse(&ConnectOptions::new(url)?)?);
        assert!(tls("postgres://db/shop?sslmode=disable").is_ok());
        assert!(tls("postgres://db/shop").is_ok());
        for mode in ["require", "verify-ca", "verify-full"] {
            let error = tls(&format!("postgres://db/shop?sslmode={mode}")).unwrap_err();
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
