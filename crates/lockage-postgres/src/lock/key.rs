//! Maps lock keys to advisory locks, and writes conditions on `pg_locks`.

use lockage_core::LockKey;
use sha2::{Digest, Sha256};

/// Returns the argument of `pg_advisory_lock` for a key. Frozen: builds of different versions must agree.
pub(crate) fn advisory_lock_id(key: &LockKey) -> i64 {
    if let Some(id) = key.as_foreign().and_then(|native| native.parse().ok()) {
        return id;
    }
    match (key.as_id(), key.as_name()) {
        (Some(id), _) => id,
        (None, name) => {
            let digest = Sha256::digest(format!("lockage:{}", name.unwrap_or_default()));
            let mut prefix = [0; 8];
            prefix.copy_from_slice(&digest[..8]);
            i64::from_be_bytes(prefix)
        }
    }
}

/// Returns a condition that is true for the rows of `pg_catalog.pg_locks` of this lock. `table` is the alias of `pg_locks` with
/// its dot, or empty.
pub(crate) fn matches_lock_sql(key: &LockKey, table: &str) -> String {
    let id = advisory_lock_id(key).cast_unsigned();
    format!(
        "{table}locktype = 'advisory' AND {table}classid = '{}' AND {table}objid = '{}' AND {table}objsubid = 1 \
         AND {table}mode = 'ExclusiveLock' AND {table}granted \
         AND {table}database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())",
        id >> 32,
        id & 0xffff_ffff
    )
}

/// Returns a condition that is true while any session holds the lock.
pub(crate) fn is_held_sql(key: &LockKey) -> String {
    format!(
        "EXISTS (SELECT 1 FROM pg_catalog.pg_locks WHERE {})",
        matches_lock_sql(key, "")
    )
}

/// Returns a condition that is true while this session holds the lock.
pub(crate) fn held_by_us_sql(key: &LockKey) -> String {
    format!(
        "EXISTS (SELECT 1 FROM pg_catalog.pg_locks WHERE {} AND pid = pg_catalog.pg_backend_pid())",
        matches_lock_sql(key, "")
    )
}

/// Returns a query that releases the session-level advisory locks of this session, except those with the ids in `kept`.
///
/// Each lock is released until the server reports, with a warning, that the session does not hold it: a session can hold a lock
/// several times.
pub(crate) fn release_others_sql(kept: &[i64]) -> String {
    let kept: String = kept.iter().map(|id| format!(", {id}")).collect();
    format!(
        "WITH RECURSIVE held AS (SELECT (classid::bigint << 32) | objid::bigint AS id, objsubid, mode FROM pg_catalog.pg_locks \
         WHERE locktype = 'advisory' AND granted AND pid = pg_catalog.pg_backend_pid() AND database = \
         (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())), \
         released AS (SELECT id, objsubid, mode, true AS was_held FROM held \
         WHERE NOT (objsubid = 1 AND mode = 'ExclusiveLock' AND id IN (NULL{kept}) IS TRUE) \
         UNION ALL SELECT id, objsubid, mode, CASE \
         WHEN objsubid = 1 AND mode = 'ExclusiveLock' THEN pg_catalog.pg_advisory_unlock(id) \
         WHEN objsubid = 1 THEN pg_catalog.pg_advisory_unlock_shared(id) \
         WHEN mode = 'ExclusiveLock' THEN pg_catalog.pg_advisory_unlock((id >> 32)::integer, ((id << 32) >> 32)::integer) \
         ELSE pg_catalog.pg_advisory_unlock_shared((id >> 32)::integer, ((id << 32) >> 32)::integer) END \
         FROM released WHERE was_held) SELECT count(*) FROM released"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_ids_never_change() {
        assert_eq!(advisory_lock_id(&LockKey::default()), 4006);
        assert_eq!(advisory_lock_id(&LockKey::id(-1)), -1);
        assert_eq!(advisory_lock_id(&LockKey::id(i64::MIN)), i64::MIN);
        // printf lockage:orders | sha256sum
        for (name, id) in [
            ("orders", 0x7650_c083_2e79_880a),
            ("Bestände", 0x7619_3e11_977d_eaf9),
            ("billing", 0xd40d_ab60_e487_3702_u64.cast_signed()),
        ] {
            let key = LockKey::named(name).unwrap();
            assert_eq!(advisory_lock_id(&key), id, "{name}");
        }
    }

    #[test]
    fn lock_id_is_split_into_two_columns_of_pg_locks() {
        let condition = matches_lock_sql(&LockKey::id(-2), "");
        assert!(
            condition.contains("classid = '4294967295' AND objid = '4294967294'"),
            "{condition}"
        );
        let condition = matches_lock_sql(&LockKey::id(4006), "");
        assert!(
            condition.contains("classid = '0' AND objid = '4006'"),
            "{condition}"
        );
    }
}
