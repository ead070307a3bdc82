use lockage_core::LockKey;
use sha2::{Digest, Sha256};

/// The number that `pg_advisory_lock` takes for a key; frozen.
pub(crate) fn advisory_number(key: &LockKey) -> i64 {
    if let Some(number) = key.as_foreign().and_then(|native| native.parse().ok()) {
        return number;
    }
    match (key.as_id(), key.as_name()) {
        (Some(id), _) => id,
        (None, name) => {
            let digest = Sha256::digest(format!("lockage:{}", name.unwrap_or_default()));
            let mut first = [0; 8];
            first.copy_from_slice(&digest[..8]);
            i64::from_be_bytes(first)
        }
    }
}

/// A condition on `pg_catalog.pg_locks` that is true of the row of this lock, whoever holds it.
pub(crate) fn is_the_lock(key: &LockKey) -> String {
    is_the_lock_in(key, "")
}

/// The same, with what stands before the names of its columns.
pub(crate) fn is_the_lock_in(key: &LockKey, l: &str) -> String {
    let number = advisory_number(key).cast_unsigned();
    format!(
        "{l}locktype = 'advisory' AND {l}classid = '{}' AND {l}objid = '{}' AND {l}objsubid = 1 AND {l}mode = 'ExclusiveLock' \
         AND {l}granted AND {l}database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())",
        number >> 32,
        number & 0xffff_ffff
    )
}

/// True while anybody holds the lock.
pub(crate) fn is_held(key: &LockKey) -> String {
    format!(
        "EXISTS (SELECT 1 FROM pg_catalog.pg_locks WHERE {})",
        is_the_lock(key)
    )
}

/// True while the session that asks holds the lock.
pub(crate) fn is_ours(key: &LockKey) -> String {
    format!(
        "EXISTS (SELECT 1 FROM pg_catalog.pg_locks WHERE {} AND pid = pg_catalog.pg_backend_pid())",
        is_the_lock(key)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_keys_never_change() {
        assert_eq!(advisory_number(&LockKey::default()), 4006);
        assert_eq!(advisory_number(&LockKey::id(-1)), -1);
        assert_eq!(advisory_number(&LockKey::id(i64::MIN)), i64::MIN);
        // printf lockage:orders | sha256sum
        for (name, number) in [
            ("orders", 0x7650_c083_2e79_880a),
            ("Bestände", 0x7619_3e11_977d_eaf9),
            ("billing", 0xd40d_ab60_e487_3702_u64.cast_signed()),
        ] {
            let key = LockKey::named(name).unwrap();
            assert_eq!(advisory_number(&key), number, "{name}");
        }
    }

    #[test]
    fn a_number_stands_in_pg_locks_in_two_halves() {
        let row = is_the_lock(&LockKey::id(-2));
        assert!(
            row.contains("classid = '4294967295' AND objid = '4294967294'"),
            "{row}"
        );
        let row = is_the_lock(&LockKey::id(4006));
        assert!(row.contains("classid = '0' AND objid = '4006'"), "{row}");
    }
}
