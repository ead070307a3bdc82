//! Parses `sqlserver://user:password@host:1433/database?encrypt=true`.

use percent_encoding::percent_decode_str;

use super::connect_config::ConnectConfig;

/// Parses the part of a URL after `//`.
pub(super) fn parse(rest: &str) -> Result<ConnectConfig, String> {
    // A password may contain any character unescaped, so the last `@` ends it.
    let (before_query, query) = match rest.rfind('@') {
        Some(at) => match rest[at..].find('?') {
            Some(mark) => (&rest[..at + mark], &rest[at + mark + 1..]),
            None => (rest, ""),
        },
        None => rest.split_once('?').unwrap_or((rest, "")),
    };
    let (user_info, location) = before_query.rsplit_once('@').unwrap_or(("", before_query));
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
            return Err(format!("unknown parameter `{name}`"));
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
