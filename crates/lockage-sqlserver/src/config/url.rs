//! Parses `sqlserver://user:password@host:1433/database?encrypt=true`.

use lockage_core::{UrlParts, UrlSyntax};
use percent_encoding::percent_decode_str;

use super::connect_config::ConnectConfig;

/// The parameters of a URL, for the error about an unknown one.
const PARAMETERS: &str = "encrypt, trust_server_certificate, trust_server_certificate_ca, host_name_in_certificate, \
    application_name, instance_name, db_principal, user, password, database";

/// Parses the part of a URL after `//`.
pub(super) fn parse(rest: &str) -> Result<ConnectConfig, String> {
    let UrlParts {
        user_info,
        location,
        query,
        ..
    } = UrlParts::split(rest, UrlSyntax::LastAt);
    let (user_info, query) = (user_info.unwrap_or_default(), query.unwrap_or_default());
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let (authority, database) = location.split_once('/').unwrap_or((location, ""));
    let mut config = ConnectConfig::default();
    config.set_server(&decode(authority, "host")?, ':')?;
    config.user = decode(user, "user")?;
    config.password = decode(password, "password")?;
    config.database = decode(database, "database")?;
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if !config.set(name, decode(value, "parameter")?)? {
            return Err(format!("unknown parameter `{name}` (known: {PARAMETERS})"));
        }
    }
    Ok(config)
}

fn decode(text: &str, part: &str) -> Result<String, String> {
    percent_decode_str(text)
        .decode_utf8()
        .map(String::from)
        .map_err(|_| format!("a {part} that is not UTF-8"))
}
