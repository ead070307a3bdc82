//! Derives the resource of an application lock from a key. Frozen: processes of different builds must derive the same resource.

use std::fmt::Write;

use lockage_core::LockKey;
use sha2::{Digest, Sha256};

/// Returns the resource of a key's lock. Application locks belong to a database, so the resource does not name one.
///
/// - An id: its decimal digits, `4006`.
/// - A name of `A-Z a-z 0-9 _ - . :` that is not itself a whole number: the name, `orders`.
/// - Any other name: `lockage#` and the first 48 hexadecimal digits of the SHA-256 of its UTF-8 bytes. So a name never equals
///   an id, the server does not cut a name at the maximum of 255 characters, and a trailing blank is significant.
/// - A foreign lock: the resource that its tool uses.
pub(super) fn resource(key: &LockKey) -> String {
    if let Some(foreign) = key.as_foreign() {
        return foreign.to_owned();
    }
    let name = match (key.as_id(), key.as_name()) {
        (Some(id), _) => return id.to_string(),
        (None, name) => name.unwrap_or_default(),
    };
    let is_safe = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte));
    if is_safe && name.parse::<i64>().is_err() {
        return name.to_owned();
    }
    Sha256::digest(name)[..24]
        .iter()
        .fold("lockage#".to_owned(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> String {
        resource(&LockKey::named(name).unwrap())
    }

    #[test]
    fn resources_never_change() {
        assert_eq!(resource(&LockKey::default()), "4006");
        assert_eq!(resource(&LockKey::id(i64::MIN)), "-9223372036854775808");
        // The resources of other tools: Lockage must be able to lock the same ones.
        for name in [
            "__EFMigrationsLock",
            "Flyway--804152094",
            "prisma_migrate",
            "kysely_migration",
        ] {
            assert_eq!(named(name), name);
        }
        // printf 4006 | sha256sum
        assert_eq!(
            named("4006"),
            "lockage#817fbc1c4386fe2dcc2993b009d5f76fa9acd8a0f4aa601e"
        );
        // printf 'orders ' | sha256sum
        assert_eq!(
            named("orders "),
            "lockage#72279447cbae0c1108463b17da1de3f0b329f6b232d19034"
        );
        // printf 'schäfer' | sha256sum
        assert_eq!(
            named("schäfer"),
            "lockage#2c43dcd8d59a7558af96a78da634bfb2dbd93fef82124b71"
        );
    }

    #[test]
    fn resources_fit_and_are_unique() {
        let resources = [
            resource(&LockKey::id(7)),
            named("7"),
            named("+7"),
            named("orders"),
            named("Orders"),
            named("orders "),
            named("lockage#"),
            named(&"x".repeat(200)),
            named(&"\u{1f6a2}".repeat(200)),
        ];
        for (index, resource) in resources.iter().enumerate() {
            assert!(resource.len() <= 255, "{resource}");
            assert!(!resources[..index].contains(resource), "{resource}");
        }
    }
}
