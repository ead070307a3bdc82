//! The `application_name` of a session: it shows administrators and waiting replicas which host runs which migration.

use lockage_core::Migration;

/// Precedes the host.
const PREFIX: &str = "lockage@";

/// Precedes the number of a statement.
const STATEMENT_TAG: &str = " #";

/// The maximum length, to which the number of a statement can be added: the server truncates names to 63 bytes.
const MAX_LEN: usize = 63 - " #9999".len();

/// The maximum length of the version, including its prefix.
const MAX_VERSION_LEN: usize = 24;

/// The maximum length of the name from the URL.
const MAX_APPLICATION_LEN: usize = 20;

/// Returns `shop lockage@host V12`: the name from the URL, the client's host, the running migration. Frozen: older builds read
/// it.
pub(crate) fn format(application: Option<&str>, migration: Option<&Migration>) -> String {
    let application = application
        .filter(|application| !application.contains(PREFIX))
        .map(|application| truncate(application, MAX_APPLICATION_LEN) + " ");
    let migration = migration.map(|migration| match migration.version() {
        Some(version) => format!(" V{version}"),
        None => format!(" {}", migration.key()),
    });
    let (application, migration) = (
        application.unwrap_or_default(),
        truncate(&migration.unwrap_or_default(), MAX_VERSION_LEN),
    );
    let host = truncate(
        &lockage_sql::client_host(),
        MAX_LEN - PREFIX.len() - application.len() - migration.len(),
    );
    format!("{application}{PREFIX}{host}{migration}")
}

/// Returns the name while a statement of a script runs. Statements are counted from one.
pub(crate) fn with_statement(name: &str, number: usize) -> String {
    format!("{name}{STATEMENT_TAG}{number}")
}

/// The contents of an `application_name`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ApplicationName<'a> {
    pub(crate) host: &'a str,
    pub(crate) migration: Option<&'a str>,
    /// The number of the running statement, if several were sent together.
    pub(crate) statement: Option<usize>,
}

/// Reads a name that [`format`] and [`with_statement`] wrote.
pub(crate) fn parse(name: &str) -> Option<ApplicationName<'_>> {
    let (_, rest) = name.split_once(PREFIX)?;
    let numbered = rest
        .rsplit_once(STATEMENT_TAG)
        .and_then(|(rest, number)| Some((rest, number.parse().ok()?)));
    let (rest, statement) = match numbered {
        Some((rest, number)) => (rest, Some(number)),
        None => (rest, None),
    };
    let (host, migration) = match rest.split_once(' ') {
        Some((host, migration)) => (host, Some(migration.strip_prefix('V').unwrap_or(migration))),
        None => (rest, None),
    };
    Some(ApplicationName {
        host,
        migration,
        statement,
    })
}

/// Returns the first `length` characters. Characters that the server would replace become `?`.
fn truncate(text: &str, length: usize) -> String {
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
    fn name_contains_host_migration_and_statement() {
        let host = lockage_sql::client_host();
        assert_eq!(format(None, None), format!("lockage@{host}"));
        let full = format(Some("shop"), Some(&migration("V12__a.sql")));
        assert_eq!(full, format!("shop lockage@{host} V12"));
        let parsed = |statement| ApplicationName {
            host: &host,
            migration: Some("12"),
            statement,
        };
        assert_eq!(parse(&full), Some(parsed(None)));
        assert_eq!(parse(&with_statement(&full, 7)), Some(parsed(Some(7))));
        let repeatable = format(None, Some(&migration("R__all_views.sql")));
        assert_eq!(parse(&repeatable).unwrap().migration, Some("R:all views"));
        assert_eq!(parse("psql"), None);
    }

    #[test]
    fn long_name_is_truncated_to_the_limit_of_the_server() {
        let version = "V1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17__a.sql";
        let long = format(
            Some("ein Name, länger als nötig ist"),
            Some(&migration(version)),
        );
        assert!(long.len() <= MAX_LEN && long.is_ascii(), "{long}");
        assert_eq!(
            parse(&long).unwrap().migration,
            Some("1.2.3.4.5.6.7.8.9.10.1")
        );
    }

    #[test]
    fn existing_prefix_is_not_repeated() {
        assert_eq!(format(Some("lockage@other"), None), format(None, None));
    }
}
