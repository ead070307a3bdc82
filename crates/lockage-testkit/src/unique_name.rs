use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// Returns a name for a database or a folder that no other case, process or machine uses. It consists of the prefix, the process id and a
/// random number, in lower-case letters, digits and underscores.
pub fn unique_name(prefix: &str) -> String {
    let random = RandomState::new().hash_one(std::process::id());
    format!("{prefix}_{}_{random:016x}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unique_names_differ() {
        assert_ne!(unique_name("case"), unique_name("case"));
    }
}
