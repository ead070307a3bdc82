//! `Server=host,1433;Database=name;User Id=user;Password=secret`.

use super::{Address, place, truth};

/// Reads an ADO string. Keys that speak of pools, sessions and the like are no concern of ours and passed over.
pub(super) fn parse(text: &str) -> Result<Address, String> {
    let mut address = Address::empty();
    let mut rest = text;
    while let Some((pair, behind)) = next(rest)? {
        rest = behind;
        let Some((key, value)) = pair else { continue };
        match key.to_ascii_lowercase().as_str() {
            "server" | "data source" | "address" | "addr" | "network address" => {
                let value = value.strip_prefix("tcp:").unwrap_or(&value);
                place(&mut address, value, ',')?;
            }
            "integrated security" | "trusted_connection" | "authentication"
                if truth(&value) != Some(false) && value != "SqlPassword" =>
            {
                return Err(format!(
                    "`{}`, which is not known here,",
                    key.to_lowercase()
                ));
            }
            _ => {
                address.set(&key, value)?;
            }
        }
    }
    Ok(address)
}

type Pair = Option<(String, String)>;

/// The next `key=value`, and what stands behind it; `None` at the end. A value may stand in quotes or braces, which are doubled within.
fn next(text: &str) -> Result<Option<(Pair, &str)>, String> {
    let text = text.trim_start();
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(behind) = text.strip_prefix(';') {
        return Ok(Some((None, behind)));
    }
    let end = text.find([';', '=']).unwrap_or(text.len());
    let key = text[..end].trim();
    if !text[end..].starts_with('=') {
        return Err(format!("`{key}` without `=`"));
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
    let mut inside = String::new();
    let mut characters = value.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character != close {
            inside.push(character);
        } else if characters.peek().is_some_and(|(_, next)| *next == close) {
            inside.push(close);
            characters.next();
        } else {
            return Ok(Some((Some((key.to_owned(), inside)), &value[at + 1..])));
        }
    }
    Err("a quote without an end".into())
}
