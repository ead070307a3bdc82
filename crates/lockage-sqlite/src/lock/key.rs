//! The name of a lock's file.

use lockage_core::LockKey;
use sha2::{Digest, Sha256};

/// Returns a key as part of a file name. The derivation is frozen: different versions must use the same file.
pub(super) fn file_name_part(key: &LockKey) -> String {
    match (key.as_id(), key.as_name()) {
        (Some(id), _) => id.to_string(),
        (None, name) => {
            let digest = Sha256::digest(name.unwrap_or_default());
            let hex: String = digest[..8]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            format!("n-{hex}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_file_names_are_frozen() {
        assert_eq!(file_name_part(&LockKey::default()), "4006");
        assert_eq!(file_name_part(&LockKey::id(-1)), "-1");
        // printf orders | sha256sum
        assert_eq!(
            file_name_part(&LockKey::named("orders").unwrap()),
            "n-1c168adb00d208e4"
        );
    }
}
