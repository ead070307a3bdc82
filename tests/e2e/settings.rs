//! Numbers from the environment.

pub(crate) fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is not a number: {text}"))
    })
}

pub(crate) fn replica_count() -> usize {
    setting("LOCKAGE_TEST_REPLICAS", 16)
}

/// Returns the number that determines the random choices of the fault cases.
pub(crate) fn seed() -> u64 {
    setting("LOCKAGE_TEST_SEED", 1) as u64
}

pub(crate) fn round_count() -> usize {
    setting("LOCKAGE_TEST_ROUNDS", 3)
}
