use lockage_core::{DatabaseUrl, Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;
use rsfbclient_rust::RustFbClientAttachmentConfig;
use url::Url;

/// Where the database is, and who asks. Its `Debug` shows no password.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) config: RustFbClientAttachmentConfig,
}

impl Address {
    pub(crate) fn parse(url: &DatabaseUrl) -> Result<Self> {
        let wrong = |what: &str| {
            Error::new(ErrorKind::InvalidConfig, format!("the URL {url} {what}"))
                .with_hint("write it as firebird://user:password@host:3050/alias")
        };
        // The parser's own message may quote the password.
        let parsed = Url::parse(url.as_secret_str()).map_err(|_| wrong("cannot be read"))?;
        let text = |part: &str| {
            percent_decode_str(part)
                .decode_utf8()
                .map(String::from)
                .map_err(|_| wrong("is not UTF-8"))
        };
        let path = text(parsed.path())?;
        let name = path.strip_prefix('/').unwrap_or_default();
        if name.is_empty() {
            return Err(wrong("names no database"));
        }
        Ok(Self {
            config: RustFbClientAttachmentConfig {
                host: parsed
                    .host_str()
                    .ok_or_else(|| wrong("has no host"))?
                    .into(),
                port: parsed.port().unwrap_or(3050),
                db_name: name.into(),
                user: text(parsed.username())?,
                pass: text(parsed.password().unwrap_or_default())?,
                role_name: None,
            },
        })
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let config = &self.config;
        write!(
            f,
            "{}@{}:{}/{}",
            config.user, config.host, config.port, config.db_name
        )
    }
}
