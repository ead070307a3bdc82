//! Parses database URLs.

use lockage_core::{DatabaseUrl, Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;
use rsfbclient_rust::RustFbClientAttachmentConfig;
use url::Url;

/// The settings of a connection. `Debug` omits the password.
#[derive(Clone)]
pub(crate) struct ConnectConfig {
    pub(crate) attachment: RustFbClientAttachmentConfig,
}

impl ConnectConfig {
    pub(crate) fn parse(url: &DatabaseUrl) -> Result<Self> {
        let invalid = |problem: &str| {
            Error::new(ErrorKind::InvalidConfig, format!("the URL {url} {problem}"))
                .with_hint("write firebird://user:password@host:3050/alias")
        };
        // The parser's own message is not used: it may contain the password.
        let parsed = Url::parse(url.as_secret_str()).map_err(|_| invalid("is invalid"))?;
        let decode = |part: &str| {
            percent_decode_str(part)
                .decode_utf8()
                .map(String::from)
                .map_err(|_| invalid("is not UTF-8"))
        };
        let path = decode(parsed.path())?;
        let database = path.strip_prefix('/').unwrap_or_default();
        if database.is_empty() {
            return Err(invalid("has no database"));
        }
        Ok(Self {
            attachment: RustFbClientAttachmentConfig {
                host: parsed
                    .host_str()
                    .ok_or_else(|| invalid("has no host"))?
                    .into(),
                port: parsed.port().unwrap_or(3050),
                db_name: database.into(),
                user: decode(parsed.username())?,
                pass: decode(parsed.password().unwrap_or_default())?,
                role_name: None,
            },
        })
    }
}

impl std::fmt::Debug for ConnectConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let RustFbClientAttachmentConfig {
            user,
            host,
            port,
            db_name,
            ..
        } = &self.attachment;
        write!(f, "{user}@{host}:{port}/{db_name}")
    }
}
