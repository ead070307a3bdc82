//! The settings of a connection, and how each is set by its name.

use std::path::PathBuf;

/// The port to use when neither a port nor an instance is configured.
pub(crate) const DEFAULT_PORT: u16 = 1433;

/// How a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encrypt {
    /// Nothing is encrypted, the login included.
    Off,
    /// Everything from the login on.
    On,
    /// Everything from the first byte on, as in TDS 8.0.
    Strict,
}

/// How the server's certificate is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CertificateCheck {
    /// An authority of the operating system must have signed it.
    SystemRoots,
    /// An authority in this PEM file must have signed it.
    CaFile(PathBuf),
    /// Any certificate is accepted.
    AcceptAny,
}

/// Settings that are needed to connect to one database.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ConnectConfig {
    pub(crate) host: String,
    /// `None` if the server's browser service must be asked for the port of the instance.
    pub(crate) port: Option<u16>,
    pub(crate) instance: Option<String>,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) database: String,
    pub(crate) encrypt: Encrypt,
    pub(crate) certificate_check: CertificateCheck,
    /// The name in the certificate, if it differs from the host.
    pub(crate) certificate_host: Option<String>,
    pub(crate) application: Option<String>,
    /// The database principal that the application lock belongs to. Only its members can see the lock.
    pub(crate) lock_principal: String,
}

impl Default for ConnectConfig {
    fn default() -> Self {
        Self {
            host: "localhost".into(),
            port: None,
            instance: None,
            user: String::new(),
            password: String::new(),
            database: String::new(),
            encrypt: Encrypt::On,
            certificate_check: CertificateCheck::SystemRoots,
            certificate_host: None,
            application: None,
            lock_principal: "public".into(),
        }
    }
}

impl ConnectConfig {
    pub(super) fn check_complete(self) -> Result<Self, String> {
        if self.database.is_empty() {
            return Err("no database".into());
        }
        if self.user.is_empty() {
            return Err("no user (only SQL Server logins are supported)".into());
        }
        Ok(self)
    }

    /// Sets a parameter by its name. URLs and ADO strings use the same names, except for blanks and underscores.
    ///
    /// Returns `false` if no parameter has this name.
    pub(super) fn set(&mut self, name: &str, value: String) -> Result<bool, String> {
        let name: String = name
            .chars()
            .filter(|c| !matches!(c, ' ' | '_' | '-'))
            .collect::<String>()
            .to_ascii_lowercase();
        match name.as_str() {
            "user" | "userid" | "uid" | "username" => self.user = value,
            "password" | "pwd" => self.password = value,
            "database" | "initialcatalog" => self.database = value,
            "encrypt" => self.encrypt = parse_encrypt(&value)?,
            "trustservercertificate" => match (to_bool(&value), &self.certificate_check) {
                (Some(true), _) => self.certificate_check = CertificateCheck::AcceptAny,
                (Some(false), CertificateCheck::AcceptAny) => {
                    self.certificate_check = CertificateCheck::SystemRoots;
                }
                (Some(false), _) => {}
                (None, _) => return Err(format!("`{value}` for {name} (use true or false)")),
            },
            "trustservercertificateca" | "servercertificateauthority" => {
                self.certificate_check = CertificateCheck::CaFile(value.into());
            }
            "hostnameincertificate" => self.certificate_host = Some(value),
            "applicationname" | "app" => self.application = Some(value),
            "instance" | "instancename" => self.instance = Some(value),
            "dbprincipal" | "lockprincipal" => self.lock_principal = value,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Sets host, port and instance from `host`, `host\instance`, `host:port` or `host,port`. `separator` separates the port.
    pub(super) fn set_server(&mut self, text: &str, separator: char) -> Result<(), String> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']').ok_or("an IPv6 address without `]`")?;
                (host, after.strip_prefix(separator))
            }
            None => match text.split_once(separator) {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let (host, instance) = match host.split_once('\\') {
            Some((host, instance)) => (host, Some(instance)),
            None => (host, None),
        };
        self.port = port.map(parse_port).transpose()?;
        self.instance = instance.map(str::to_owned);
        if !matches!(host.trim(), "" | "." | "(local)") {
            self.host = host.trim().to_owned();
        }
        Ok(())
    }

    /// Returns whether the host belongs to Azure Synapse, which has no application locks.
    pub(crate) fn is_synapse(&self) -> bool {
        self.host
            .to_ascii_lowercase()
            .ends_with(".sql.azuresynapse.net")
    }
}

fn parse_encrypt(value: &str) -> Result<Encrypt, String> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "mandatory" | "required" => Ok(Encrypt::On),
        "strict" => Ok(Encrypt::Strict),
        "false" | "no" | "off" | "optional" | "disabled" => Ok(Encrypt::Off),
        _ => Err(format!("`{value}` for encrypt (use true, false or strict)")),
    }
}

fn parse_port(text: &str) -> Result<u16, String> {
    text.trim()
        .parse::<u16>()
        .map_err(|_| "an invalid port".into())
}

pub(super) fn to_bool(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// Omits the password.
impl std::fmt::Debug for ConnectConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectConfig")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("instance", &self.instance)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("encrypt", &self.encrypt)
            .finish_non_exhaustive()
    }
}
