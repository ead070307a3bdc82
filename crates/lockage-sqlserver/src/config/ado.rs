//! Parses `Server=host,1433;Database=name;User Id=user;Password=secret`.

use super::connect_config::{ConnectConfig, to_bool};

/// Parses an ADO connection string. Unknown keys, for example of connection pools, are ignored.
pub(super) fn parse(text: &str) -> Result<ConnectConfig, String> {
    let mut config = ConnectConfig::default();
    let mut rest = text;
    while let Some((pair, after)) = next_pair(rest)? {
        rest = after;
        let Some((key, value)) = pair else { continue };
        match key.to_ascii_lowercase().as_str() {
            "server" | "data source" | "address" | "addr" | "network address" => {
                let value = value.strip_prefix("tcp:").unwrap_or(&value);
                config.set_server(value, ',')?;
            }
            "integrated security" | "trusted_connection" | "authentication"
                if to_bool(&value) != Some(false) && value != "SqlPassword" =>
            {
                return Err(format!("unsupported `{}`", key.to_lowercase()));
            }
            _ => {
                config.set(&key, value)?;
            }
        }
    }
    Ok(config)
}

type Pair = Option<(String, String)>;

/// Returns the next `key=value` and the text after it, or `None` at the end. The pair is `None` for an empty entry.
///
/// A value may be in quotes or braces. A closing quote or brace inside is doubled.
fn next_pair(text: &str) -> Result<Option<(Pair, &str)>, String> {
    let text = text.trim_start();
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(after) = text.strip_prefix(';') {
        return Ok(Some((None, after)));
    }
    let end = text.find([';', '=']).unwrap_or(text.len());
    let key = text[..end].trim();
    if !text[end..].starts_with('=') {
        // The text could be a part of a password.
        return Err("an entry without `=`".into());
    }
    let value = text[end + 1..].trim_start();
    let close = match value.chars().next() {
        Some(quote @ ('\'' | '"')) => quote,
        Some('{') => '}',
        _ => {
            let end = value.find(';').unwrap_or(value.len());
            let pair = (key.to_owned(), value[..end].trim_end().to_owned());
            return Ok(Some((Some(pair), &value[end..])));
        }
    };
    let mut unquoted = String::new();
    let mut characters = value.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character != close {
            unquoted.push(character);
        } else if characters.peek().is_some_and(|(_, next)| *next == close) {
            unquoted.push(close);
            characters.next();
        } else {
            return Ok(Some((Some((key.to_owned(), unquoted)), &value[at + 1..])));
        }
    }
    Err("an unterminated quote".into())
}
