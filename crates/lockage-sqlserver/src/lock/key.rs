//! How a key becomes the resource of an application lock. Frozen: processes of different builds must come to the same one.

use std::fmt::Write;

use lockage_core::LockKey;
use sha2::{Digest, Sha256};

/// The resource of a key's lock. Such locks belong to a database, so the database is no part of it.
///
/// - An id: its decimal digits, `4006`.
/// - A name of `A-Z a-z 0-9 _ - . :` that is not itself a whole number: the name, `orders`.
/// - Any other name: `lockage#` and the first 48 hexadecimal digits of the SHA-256 of its UTF-8 bytes. So no name is taken for an id, no
///   name is cut at the 255 characters that a resource may have, and a blank at the end counts.
/// - A neighbour's: as the neighbour has it.
pub(crate) fn resource(key: &LockKey) -> String {
    if let Some(foreign) = key.as_foreign() {
        return foreign.to_owned();
    }
    let name = match (key.as_id(), key.as_name()) {
        (Some(id), _) => return id.to_string(),
        (None, name) => name.unwrap_or_default(),
    };
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte));
    if plain && name.parse::<i64>().is_err() {
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
        // What other tools take, so that theirs and ours exclude each other.
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
    fn every_resource_fits_and_tells_keys_apart() {
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
