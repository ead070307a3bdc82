//! `sqlserver://user:password@host:1433/database?encrypt=true`.

use percent_encoding::percent_decode_str;

use super::{Address, place};

/// Reads what stands behind `//`.
pub(super) fn parse(rest: &str) -> Result<Address, String> {
    // A password may hold any character, written as it is: the last `@` ends it.
    let (before, query) = match rest.rfind('@') {
        Some(at) => match rest[at..].find('?') {
            Some(mark) => (&rest[..at + mark], &rest[at + mark + 1..]),
            None => (rest, ""),
        },
        None => rest.split_once('?').unwrap_or((rest, "")),
    };
    let (user_info, whereabouts) = before.rsplit_once('@').unwrap_or(("", before));
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let (authority, database) = whereabouts.split_once('/').unwrap_or((whereabouts, ""));
    let mut address = Address::empty();
    place(&mut address, &text(authority, "host")?, ':')?;
    address.user = text(user, "user")?;
    address.password = text(password, "password")?;
    address.database = text(database, "database")?;
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if !address.set(name, text(value, "parameter")?)? {
            return Err(format!("unknown parameter `{name}`"));
        }
    }
    Ok(address)
}

fn text(text: &str, what: &str) -> Result<String, String> {
    percent_decode_str(text)
        .decode_utf8()
        .map(String::from)
        .map_err(|_| format!("a {what} that is not UTF-8"))
}
