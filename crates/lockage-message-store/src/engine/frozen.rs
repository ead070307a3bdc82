//! What was released does not change: databases out there have these checksums in their histories. A change of the schema is a new script.

use super::{ENGINES, migrations};
use crate::identity::Identity;

/// A line a script: its checksum, the identity for which it is that, the file. Where the identity changes nothing, it is `id`.
const CHECKSUMS: &str = include_str!("../../migrations/checksums.txt");

fn frozen(identity: &str, file: &str) -> Option<&'static str> {
    CHECKSUMS.lines().find_map(|line| {
        let mut words = line.split(' ');
        let checksum = words.next()?;
        (words.next() == Some(identity) && words.next() == Some(file)).then_some(checksum)
    })
}

#[test]
fn scripts_that_were_released_never_change() {
    let mut seen = std::collections::BTreeSet::new();
    for engine in ENGINES {
        for identity in [Identity::Id, Identity::IdAndDestination] {
            let set = migrations(*engine, identity, &engine.place(None)).unwrap();
            for migration in set.iter() {
                let file = migration.file().trim_start_matches("message-store/");
                let by_destination = match identity {
                    Identity::Id => None,
                    Identity::IdAndDestination => frozen("destination", file),
                };
                let expected = by_destination.or_else(|| frozen("id", file));
                let checksum = migration.checksum().to_string();
                assert_eq!(Some(checksum.as_str()), expected, "{file}, {identity:?}");
                seen.insert(checksum);
            }
        }
    }
    // A script that was taken away is one that changed.
    for line in CHECKSUMS.lines() {
        let checksum = line.split(' ').next().unwrap_or_default();
        assert!(seen.contains(checksum), "{line}");
    }
}
