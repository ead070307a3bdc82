//! Parses connection settings from a URL or an ADO connection string.

mod ado;
mod connect_config;
mod url;

use lockage_core::{DatabaseUrl, Error, ErrorKind, Result};

pub(crate) use connect_config::{CertificateCheck, ConnectConfig, DEFAULT_PORT, Encrypt};

impl ConnectConfig {
    /// Parses a database URL.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`], without the password.
    pub(crate) fn parse(url: &DatabaseUrl) -> Result<Self> {
        let parsed = match url.secret_after_scheme().strip_prefix("//") {
            Some(rest) => url::parse(rest),
            None => ado::parse(url.secret_after_scheme()),
        };
        parsed.and_then(Self::check_complete).map_err(|problem| {
            Error::new(
                ErrorKind::InvalidConfig,
                format!("{problem} in the database URL {url}"),
            )
            .with_hint(
                "write sqlserver://user@host:1433/database?encrypt=true or \
                 sqlserver:Server=host,1433;Database=name;User Id=user",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<ConnectConfig> {
        ConnectConfig::parse(&DatabaseUrl::parse(url).unwrap())
    }

    #[test]
    fn url_parts_are_parsed() {
        let config = parse("sqlserver://app:p%40ss%2Fword@db:1434/my%20shop").unwrap();
        assert_eq!((config.host.as_str(), config.port), ("db", Some(1434)));
        assert_eq!(
            (config.user.as_str(), config.password.as_str()),
            ("app", "p@ss/word")
        );
        assert_eq!(config.database, "my shop");
        assert_eq!(
            (config.encrypt, config.certificate_check),
            (Encrypt::On, CertificateCheck::SystemRoots)
        );
        assert_eq!(config.lock_principal, "public");

        let config = parse(
            "mssql://app:a@b/c?d#e@[::1]/shop?encrypt=strict&trust_server_certificate=true&application_name=till&db_principal=movers",
        )
        .unwrap();
        assert_eq!((config.host.as_str(), config.port), ("::1", None));
        assert_eq!(config.password, "a@b/c?d#e");
        assert_eq!(
            (config.encrypt, config.certificate_check),
            (Encrypt::Strict, CertificateCheck::AcceptAny)
        );
        assert_eq!(config.application.as_deref(), Some("till"));
        assert_eq!(config.lock_principal, "movers");

        let config =
            parse("sqlserver://app:x@db%5CTILL/shop?trust_server_certificate_ca=/ca.pem").unwrap();
        assert_eq!(config.instance.as_deref(), Some("TILL"));
        assert_eq!(
            config.certificate_check,
            CertificateCheck::CaFile("/ca.pem".into())
        );
    }

    #[test]
    fn ado_string_parts_are_parsed() {
        let config = parse(
            "sqlserver:Server=tcp:db\\TILL,1434;Initial Catalog=shop;User Id=app;Password='a;b''c';\
             TrustServerCertificate=yes;Encrypt=Mandatory;Application Name={my {}}app};MultipleActiveResultSets=False;",
        )
        .unwrap();
        assert_eq!((config.host.as_str(), config.port), ("db", Some(1434)));
        assert_eq!(config.instance.as_deref(), Some("TILL"));
        assert_eq!(
            (config.user.as_str(), config.password.as_str()),
            ("app", "a;b'c")
        );
        assert_eq!(config.database, "shop");
        assert_eq!(config.certificate_check, CertificateCheck::AcceptAny);
        assert_eq!(config.application.as_deref(), Some("my {}app"));
        let config = parse("sqlserver:data source=(local);database=shop;uid=sa;pwd=x").unwrap();
        assert_eq!((config.host.as_str(), config.port), ("localhost", None));
    }

    #[test]
    fn invalid_urls_are_reported_without_password() {
        for (url, part) in [
            ("sqlserver://app:hunter2@db", "no database"),
            ("sqlserver://db/shop", "no user"),
            ("sqlserver://app:hunter2@db:x/shop", "an invalid port"),
            (
                "sqlserver://app:hunter2@db/shop?encrpt=true",
                "unknown parameter `encrpt`",
            ),
            (
                "sqlserver://app:hunter2@db/shop?encrypt=maybe",
                "`maybe` for encrypt",
            ),
            (
                "sqlserver://app:hunter2@[::1/shop",
                "an IPv6 address without `]`",
            ),
            (
                "sqlserver:Server=db;Database=shop;Integrated Security=true",
                "unsupported `integrated security`",
            ),
            (
                "sqlserver:Server=db;Password=hunter2;Database=shop;User",
                "an entry without `=`",
            ),
            (
                "sqlserver:Server=db;Database=shop;User Id=a;Password='hunter2",
                "an unterminated quote",
            ),
        ] {
            let error = parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(error.message().contains(part), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
