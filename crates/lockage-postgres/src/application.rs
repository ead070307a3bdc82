//! `application_name`, by which an administrator and the other replicas see who migrates what.

use lockage_core::Migration;

/// What stands before the host.
const MARK: &str = "lockage@";

/// The server cuts a longer name off.
const LONGEST: usize = 63;

/// How much of a version is shown, with what stands before it.
const LONGEST_VERSION: usize = 30;

/// How much of the name is shown that the user gives.
const LONGEST_PREFIX: usize = 20;

/// `shop lockage@host V12`: what the user calls the program, where it runs, the migration in hand.
pub(crate) fn name(prefix: Option<&str>, migration: Option<&Migration>) -> String {
    let prefix = prefix
        .filter(|prefix| !prefix.contains(MARK))
        .map(|prefix| cut(prefix, LONGEST_PREFIX) + " ");
    let migration = migration.map(|migration| match migration.version() {
        Some(version) => format!(" V{version}"),
        None => format!(" {}", migration.key()),
    });
    let (prefix, migration) = (
        prefix.unwrap_or_default(),
        cut(&migration.unwrap_or_default(), LONGEST_VERSION),
    );
    let host = cut(
        &lockage_sql::client_host(),
        LONGEST - MARK.len() - prefix.len() - migration.len(),
    );
    format!("{prefix}{MARK}{host}{migration}")
}

/// The host and the migration in hand, as such a name tells them.
pub(crate) fn read(name: &str) -> Option<(&str, Option<&str>)> {
    let (_, rest) = name.split_once(MARK)?;
    Some(match rest.split_once(' ') {
        Some((host, migration)) => (host, Some(migration.strip_prefix('V').unwrap_or(migration))),
        None => (rest, None),
    })
}

/// The first `length` characters, all of them such that the server leaves them as they are.
fn cut(text: &str, length: usize) -> String {
    text.chars()
        .map(|c| {
            if c == ' ' || c.is_ascii_graphic() {
                c
            } else {
                '?'
            }
        })
        .take(length)
        .collect()
}

#[cfg(test)]
mod tests {
    use lockage_core::MigrationSet;

    use super::*;

    fn migration(file: &str) -> std::sync::Arc<Migration> {
        let set = MigrationSet::from_texts([(file, "SELECT 1")]).unwrap();
        set.iter().next().unwrap().clone()
    }

    #[test]
    fn a_name_tells_host_and_migration() {
        let host = lockage_sql::client_host();
        assert_eq!(name(None, None), format!("lockage@{host}"));
        let full = name(Some("shop"), Some(&migration("V12__a.sql")));
        assert_eq!(full, format!("shop lockage@{host} V12"));
        assert_eq!(read(&full), Some((host.as_str(), Some("12"))));
        let repeatable = name(None, Some(&migration("R__all_views.sql")));
        assert_eq!(read(&repeatable).unwrap().1, Some("R:all views"));
        assert_eq!(read("psql"), None);
    }

    #[test]
    fn a_name_is_never_longer_than_the_server_keeps() {
        let version = "V1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17__a.sql";
        let long = name(
            Some("ein Name, länger als nötig ist"),
            Some(&migration(version)),
        );
        assert!(long.len() <= LONGEST && long.is_ascii(), "{long}");
        assert_eq!(read(&long).unwrap().1, Some("1.2.3.4.5.6.7.8.9.10.11.12.1"));
    }

    #[test]
    fn a_name_that_is_ours_already_is_not_doubled() {
        assert_eq!(name(Some("lockage@other"), None), name(None, None));
    }
}
