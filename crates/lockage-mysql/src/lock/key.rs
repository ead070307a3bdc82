//! The name for `GET_LOCK` that belongs to a lock key.
//!
//! The derivation is frozen: processes of different versions must agree on the name.

use lockage_core::LockKey;
use sha2::{Digest, Sha256};

use crate::hex::hex;

/// The maximum length of a name on MySQL, in characters. MariaDB accepts longer names.
const MAX_NAME_LEN: usize = 64;

/// Returns the name of a key's lock in a database.
///
/// All databases of a server share one namespace of locks, so the name contains the database. The server compares names
/// case-insensitively, so a key with capital letters is hashed.
///
/// - An id: `lockage:4006:shop`.
/// - A name: `lockage:=orders:shop`.
/// - If the database or the key's name contains anything but `a-z 0-9 _ - .`, or the result is longer than 64 characters: `lockage#`
///   and the first 48 hexadecimal digits of the SHA-256 of the key as above (`4006` or `=orders`), a zero byte, and the database in
///   lower case.
pub(crate) fn lock_name(key: &LockKey, database: &str) -> String {
    if let Some(name) = key.as_foreign() {
        return name.to_owned();
    }
    let key = match (key.as_id(), key.as_name()) {
        (Some(id), _) => id.to_string(),
        (None, name) => format!("={}", name.unwrap_or_default()),
    };
    let database = database.to_lowercase();
    let name = format!("lockage:{key}:{database}");
    if name.len() <= MAX_NAME_LEN
        && has_only_plain_characters(key.strip_prefix('=').unwrap_or(&key))
        && has_only_plain_characters(&database)
    {
        return name;
    }
    let mut hasher = Sha256::new();
    hasher.update(key);
    hasher.update([0]);
    hasher.update(&database);
    hex("lockage#", &hasher.finalize()[..24])
}

fn has_only_plain_characters(text: &str) -> bool {
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
    fn lock_names_match_documented_names() {
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
    fn lock_names_are_short_and_distinct() {
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
                name.chars().count() <= MAX_NAME_LEN && *name == name.to_lowercase(),
                "{name}"
            );
            assert!(!names[..index].contains(name), "{name}");
        }
    }
}
