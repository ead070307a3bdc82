//! Released scripts must not change, because existing databases have their checksums in the history. Change the schema with a new
//! script.

use super::{ENGINES, migrations};
use crate::identity::Identity;

/// One script a line: checksum, identity, file. The identity is `id` where it does not change the checksum.
const CHECKSUMS: &str = include_str!("../../migrations/checksums.txt");

fn released_checksum(identity: &str, file: &str) -> Option<&'static str> {
    CHECKSUMS.lines().find_map(|line| {
        let mut words = line.split(' ');
        let checksum = words.next()?;
        (words.next() == Some(identity) && words.next() == Some(file)).then_some(checksum)
    })
}

#[test]
fn released_scripts_are_unchanged() {
    let mut seen = std::collections::BTreeSet::new();
    for engine in ENGINES {
        for identity in [Identity::Id, Identity::IdAndDestination] {
            let set = migrations(*engine, identity, &engine.table_names(None)).unwrap();
            for migration in set.iter() {
                let file = migration.file().trim_start_matches("message-store/");
                let by_destination = match identity {
                    Identity::Id => None,
                    Identity::IdAndDestination => released_checksum("destination", file),
                };
                let expected = by_destination.or_else(|| released_checksum("id", file));
                let checksum = migration.checksum().to_string();
                assert_eq!(Some(checksum.as_str()), expected, "{file}, {identity:?}");
                seen.insert(checksum);
            }
        }
    }
    // A removed script counts as changed.
    for line in CHECKSUMS.lines() {
        let checksum = line.split(' ').next().unwrap_or_default();
        assert!(seen.contains(checksum), "{line}");
    }
}
