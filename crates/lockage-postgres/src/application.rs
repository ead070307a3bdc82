//! `application_name`, by which an administrator and the other replicas see who migrates what.

use lockage_core::Migration;

/// What stands before the host.
const MARK: &str = "lockage@";

/// What stands before the number of a statement.
const STATEMENT: &str = " #";

/// The server cuts a longer name off, with the number of a statement behind it.
const LONGEST: usize = 63 - " #9999".len();

/// How much of a version is shown, with what stands before it.
const LONGEST_VERSION: usize = 24;

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

/// The name while a statement of a script runs, by its number from one.
pub(crate) fn at_statement(name: &str, number: usize) -> String {
    format!("{name}{STATEMENT}{number}")
}

/// What such a name tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told<'a> {
    pub(crate) host: &'a str,
    pub(crate) migration: Option<&'a str>,
    /// The number of the statement in hand, where several were sent at once.
    pub(crate) statement: Option<usize>,
}

pub(crate) fn read(name: &str) -> Option<Told<'_>> {
    let (_, rest) = name.split_once(MARK)?;
    let numbered = rest
        .rsplit_once(STATEMENT)
        .and_then(|(rest, number)| Some((rest, number.parse().ok()?)));
    let (rest, statement) = match numbered {
        Some((rest, number)) => (rest, Some(number)),
        None => (rest, None),
    };
    let (host, migration) = match rest.split_once(' ') {
        Some((host, migration)) => (host, Some(migration.strip_prefix('V').unwrap_or(migration))),
        None => (rest, None),
    };
    Some(Told {
        host,
        migration,
        statement,
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
        let told = |statement| Told {
            host: &host,
            migration: Some("12"),
            statement,
        };
        assert_eq!(read(&full), Some(told(None)));
        assert_eq!(read(&at_statement(&full, 7)), Some(told(Some(7))));
        let repeatable = name(None, Some(&migration("R__all_views.sql")));
        assert_eq!(read(&repeatable).unwrap().migration, Some("R:all views"));
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
        assert_eq!(
            read(&long).unwrap().migration,
            Some("1.2.3.4.5.6.7.8.9.10.1")
        );
    }

    #[test]
    fn a_name_that_is_ours_already_is_not_doubled() {
        assert_eq!(name(Some("lockage@other"), None), name(None, None));
    }
}
