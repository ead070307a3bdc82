//! Where a database is, as a URL or an ADO string says it.

mod ado;
mod url;

use std::path::PathBuf;

use lockage_core::{DatabaseUrl, Error, ErrorKind, Result};

/// The port of an address that names none.
pub(crate) const PORT: u16 = 1433;

/// How a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encrypt {
    /// Not at all, the login included.
    Off,
    /// From the login on.
    On,
    /// From the first byte on, as TDS 8.0 has it.
    Strict,
}

/// Whose certificate is taken for the server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trust {
    /// One that an authority of the operating system signed.
    System,
    /// One that an authority in this PEM file signed.
    File(PathBuf),
    /// Any.
    Anybody,
}

/// Where a database is, and how to get there.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    /// `None` where the instance's port is to be asked for.
    pub(crate) port: Option<u16>,
    pub(crate) instance: Option<String>,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) database: String,
    pub(crate) encrypt: Encrypt,
    pub(crate) trust: Trust,
    /// The name that the certificate is made out to, where it is not the host.
    pub(crate) certificate_host: Option<String>,
    pub(crate) application: Option<String>,
    /// The database principal whose members may see the lock.
    pub(crate) principal: String,
}

impl Address {
    pub(crate) fn parse(url: &DatabaseUrl) -> Result<Self> {
        let parsed = match url.expose_rest().strip_prefix("//") {
            Some(rest) => url::parse(rest),
            None => ado::parse(url.expose_rest()),
        };
        let address = parsed.and_then(|address| {
            if address.database.is_empty() {
                return Err("no database".into());
            }
            if address.user.is_empty() {
                return Err("no user; only SQL Server's own logins are known".into());
            }
            Ok(address)
        });
        address.map_err(|what| {
            Error::new(
                ErrorKind::InvalidConfig,
                format!("{what} in the database URL {url}"),
            )
            .with_hint(
                "write sqlserver://user@host:1433/database?encrypt=true or \
                 sqlserver:Server=host,1433;Database=name;User Id=user",
            )
        })
    }

    /// An address with nothing said yet.
    fn empty() -> Self {
        Self {
            host: "localhost".into(),
            port: None,
            instance: None,
            user: String::new(),
            password: String::new(),
            database: String::new(),
            encrypt: Encrypt::On,
            trust: Trust::System,
            certificate_host: None,
            application: None,
            principal: "public".into(),
        }
    }

    /// Takes a setting by its name, which is the same in URLs and ADO strings but for blanks and underscores. `false`: there is no such
    /// setting.
    fn set(&mut self, name: &str, value: String) -> std::result::Result<bool, String> {
        let name: String = name
            .chars()
            .filter(|c| !matches!(c, ' ' | '_' | '-'))
            .collect::<String>()
            .to_ascii_lowercase();
        match name.as_str() {
            "user" | "userid" | "uid" | "username" => self.user = value,
            "password" | "pwd" => self.password = value,
            "database" | "initialcatalog" => self.database = value,
            "encrypt" => {
                self.encrypt = match value.to_ascii_lowercase().as_str() {
                    "true" | "yes" | "mandatory" | "required" => Encrypt::On,
                    "strict" => Encrypt::Strict,
                    "false" | "no" | "off" | "optional" | "disabled" => Encrypt::Off,
                    _ => {
                        return Err(format!(
                            "`{value}` for encrypt: it is true, false or strict"
                        ));
                    }
                }
            }
            "trustservercertificate" => match (truth(&value), &self.trust) {
                (Some(true), _) => self.trust = Trust::Anybody,
                (Some(false), Trust::Anybody) => self.trust = Trust::System,
                (Some(false), _) => {}
                (None, _) => return Err(format!("`{value}` for {name}: it is true or false")),
            },
            "trustservercertificateca" | "servercertificateauthority" => {
                self.trust = Trust::File(value.into());
            }
            "hostnameincertificate" => self.certificate_host = Some(value),
            "applicationname" | "app" => self.application = Some(value),
            "instance" | "instancename" => self.instance = Some(value),
            "dbprincipal" | "lockprincipal" => self.principal = value,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether the engine behind it is known, by its name, to have no application locks.
    pub(crate) fn is_synapse(&self) -> bool {
        self.host
            .to_ascii_lowercase()
            .ends_with(".sql.azuresynapse.net")
    }
}

fn truth(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// Reads `host`, `host\instance`, `host:port` or `host,port`, whichever divides host and port.
fn place(address: &mut Address, text: &str, divider: char) -> std::result::Result<(), String> {
    let port = |text: &str| {
        text.trim()
            .parse::<u16>()
            .map_err(|_| format!("`{text}` is no port"))
    };
    let (host, rest) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']').ok_or("an IPv6 address without `]`")?;
            (host, behind.strip_prefix(divider))
        }
        None => match text.split_once(divider) {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let (host, instance) = match host.split_once('\\') {
        Some((host, instance)) => (host, Some(instance)),
        None => (host, None),
    };
    address.port = rest.map(port).transpose()?;
    address.instance = instance.map(str::to_owned);
    if !matches!(host.trim(), "" | "." | "(local)") {
        address.host = host.trim().to_owned();
    }
    Ok(())
}

/// Without the password.
impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Address")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("instance", &self.instance)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("encrypt", &self.encrypt)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Address> {
        Address::parse(&DatabaseUrl::parse(url).unwrap())
    }

    #[test]
    fn the_parts_of_a_url() {
        let address = parse("sqlserver://app:p%40ss%2Fword@db:1434/my%20shop").unwrap();
        assert_eq!((address.host.as_str(), address.port), ("db", Some(1434)));
        assert_eq!(
            (address.user.as_str(), address.password.as_str()),
            ("app", "p@ss/word")
        );
        assert_eq!(address.database, "my shop");
        assert_eq!(
            (address.encrypt, address.trust),
            (Encrypt::On, Trust::System)
        );
        assert_eq!(address.principal, "public");

        let address = parse(
            "mssql://app:a@b/c?d#e@[::1]/shop?encrypt=strict&trust_server_certificate=true&application_name=till&db_principal=movers",
        )
        .unwrap();
        assert_eq!((address.host.as_str(), address.port), ("::1", None));
        assert_eq!(address.password, "a@b/c?d#e");
        assert_eq!(
            (address.encrypt, address.trust),
            (Encrypt::Strict, Trust::Anybody)
        );
        assert_eq!(address.application.as_deref(), Some("till"));
        assert_eq!(address.principal, "movers");

        let address =
            parse("sqlserver://app:x@db%5CTILL/shop?trust_server_certificate_ca=/ca.pem").unwrap();
        assert_eq!(address.instance.as_deref(), Some("TILL"));
        assert_eq!(address.trust, Trust::File("/ca.pem".into()));
    }

    #[test]
    fn the_parts_of_an_ado_string() {
        let address = parse(
            "sqlserver:Server=tcp:db\\TILL,1434;Initial Catalog=shop;User Id=app;Password='a;b''c';\
             TrustServerCertificate=yes;Encrypt=Mandatory;Application Name={my {}}app};MultipleActiveResultSets=False;",
        )
        .unwrap();
        assert_eq!((address.host.as_str(), address.port), ("db", Some(1434)));
        assert_eq!(address.instance.as_deref(), Some("TILL"));
        assert_eq!(
            (address.user.as_str(), address.password.as_str()),
            ("app", "a;b'c")
        );
        assert_eq!(address.database, "shop");
        assert_eq!(address.trust, Trust::Anybody);
        assert_eq!(address.application.as_deref(), Some("my {}app"));
        let address = parse("sqlserver:data source=(local);database=shop;uid=sa;pwd=x").unwrap();
        assert_eq!((address.host.as_str(), address.port), ("localhost", None));
    }

    #[test]
    fn mistakes_are_told_without_the_password() {
        for (url, part) in [
            ("sqlserver://app:hunter2@db", "no database"),
            ("sqlserver://db/shop", "no user"),
            ("sqlserver://app:hunter2@db:x/shop", "`x` is no port"),
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
                "integrated security",
            ),
            (
                "sqlserver:Server=db;Password=hunter2;Database=shop;User",
                "`User` without `=`",
            ),
            (
                "sqlserver:Server=db;Database=shop;User Id=a;Password='hunter2",
                "a quote without an end",
            ),
        ] {
            let error = parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(error.message().contains(part), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
