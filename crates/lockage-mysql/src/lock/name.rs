//! How a key becomes a name for `GET_LOCK`. Frozen: processes of different builds must come to the same name.

use std::fmt::Write;

use lockage_core::LockKey;
use sha2::{Digest, Sha256};

/// The longest name that MySQL takes, in characters. MariaDB would take more.
const LONGEST: usize = 64;

/// The name of a key's lock in a database. Names are one space for the whole server and compare without case there, so the database is
/// part of the name, and what lower case would change is hashed.
///
/// - An id: `lockage:4006:shop`.
/// - A name: `lockage:=orders:shop`.
/// - Where database or name hold anything but `a-z 0-9 _ - .`, or the whole is longer than 64 characters: `lockage#` and the first 48
///   hexadecimal digits of the SHA-256 of the key as above (`4006` or `=orders`), a zero byte, and the database in lower case.
pub(crate) fn lock_name(key: &LockKey, database: &str) -> String {
    if let Some(name) = key.as_foreign() {
        return name.to_owned();
    }
    let key = match (key.as_id(), key.as_name()) {
        (Some(id), _) => id.to_string(),
        (None, name) => format!("={}", name.unwrap_or_default()),
    };
    let database = database.to_lowercase();
    let plain = format!("lockage:{key}:{database}");
    if plain.len() <= LONGEST
        && is_plain(key.strip_prefix('=').unwrap_or(&key))
        && is_plain(&database)
    {
        return plain;
    }
    let mut hasher = Sha256::new();
    hasher.update(key);
    hasher.update([0]);
    hasher.update(&database);
    hasher.finalize()[..24]
        .iter()
        .fold("lockage#".to_owned(), |mut name, byte| {
            let _ = write!(name, "{byte:02x}");
            name
        })
}

fn is_plain(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, database: &str) -> String {
        lock_name(&LockKey::named(name).unwrap(), database)
    }

    #[test]
    fn names_of_locks_never_change() {
        assert_eq!(lock_name(&LockKey::default(), "shop"), "lockage:4006:shop");
        assert_eq!(lock_name(&LockKey::default(), "Shop"), "lockage:4006:shop");
        assert_eq!(
            lock_name(&LockKey::id(i64::MIN), "shop"),
            "lockage:-9223372036854775808:shop"
        );
        assert_eq!(named("orders", "shop"), "lockage:=orders:shop");
        // printf '=Orders\0shop' | sha256sum
        assert_eq!(
            named("Orders", "shop"),
            "lockage#29e0b7d8b304d21213fd8881a614f508efc96376393fcc96"
        );
        // printf '4006\0my shop' | sha256sum
        assert_eq!(
            lock_name(&LockKey::default(), "My Shop"),
            "lockage#e36609a792bf9e69ecb2dda8e4cdf284649385489482ece2"
        );
        // printf '4006\0%060d' 0 | sha256sum
        assert_eq!(
            lock_name(&LockKey::default(), &"0".repeat(60)),
            "lockage#7e546118fa31f30eb7bb7bff8ed0c790b4d0e1e9a1c3b94b"
        );
    }

    #[test]
    fn every_name_fits_and_tells_keys_and_databases_apart() {
        let names = [
            lock_name(&LockKey::id(7), "shop"),
            lock_name(&LockKey::id(7), "shop2"),
            named("7", "shop"),
            named("=7", "shop"),
            named("orders", "shop"),
            named("orders ", "shop"),
            named("Orders", "shop"),
            named("a:b", "c"),
            named("a", "b:c"),
            named(&"x".repeat(200), "shop"),
            lock_name(&LockKey::id(7), &"é".repeat(64)),
        ];
        for (index, name) in names.iter().enumerate() {
            assert!(
                name.chars().count() <= LONGEST && *name == name.to_lowercase(),
                "{name}"
            );
            assert!(!names[..index].contains(name), "{name}");
        }
    }
}
