//! What a server says of itself when a session begins.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lockage_core::{Error, ErrorKind, Result};
use lockage_sql::Row;

use crate::dialect::literal;

/// What kind of server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// MySQL, Percona Server and what calls itself by no other name.
    MySql,
    /// MariaDB.
    MariaDb,
}

/// What a session knows of its server.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) flavour: Flavour,
    /// Major, minor and patch.
    pub(crate) version: (u16, u16, u16),
    /// A node of a Galera or Percona XtraDB cluster.
    pub(crate) clustered: bool,
    /// Tells this server from others behind one address.
    pub(crate) identity: Identity,
    /// When it was started, in seconds since 1970, by its own clock; off by a second at the most.
    pub(crate) started: u64,
    /// The number of this session.
    pub(crate) connection: u64,
    /// The database of the session.
    pub(crate) database: Option<String>,
    /// The account.
    pub(crate) user: Option<String>,
    /// How many KILLs the server had counted, and those of ours since.
    kills: Arc<AtomicU64>,
}

/// The questions, three result sets. A server lists only the variables that it has.
pub(crate) const QUESTIONS: &str = "SHOW VARIABLES WHERE Variable_name IN ('version', 'version_comment', 'wsrep_on', \
     'wsrep_provider', 'server_uuid', 'server_id', 'hostname', 'port'); SHOW GLOBAL STATUS WHERE Variable_name IN ('Uptime', 'Com_kill'); \
     SELECT CONNECTION_ID(), DATABASE(), CURRENT_USER(), UNIX_TIMESTAMP()";

/// The question that tells this server from others behind one address.
pub(crate) const IDENTITY: &str =
    "SHOW VARIABLES WHERE Variable_name IN ('server_uuid', 'server_id', 'hostname', 'port')";

/// The questions since when it stands, and how often somebody ended a session or a statement there: two result sets.
pub(crate) const AGE: &str =
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('Uptime', 'Com_kill'); SELECT UNIX_TIMESTAMP()";

/// How many KILLs the server has counted since its start.
pub(crate) fn kills(status: &[Row]) -> Option<u64> {
    value(status, "Com_kill").parse().ok()
}

/// When the server was started, by its own clock; zero where it does not tell.
pub(crate) fn started(now: Option<&str>, status: &[Row]) -> u64 {
    now.and_then(|now| now.parse::<u64>().ok())
        .zip(value(status, "Uptime").parse().ok())
        .map_or(0, |(now, uptime)| now.saturating_sub(uptime))
}

/// What a server calls itself.
pub(crate) type Identity = [String; 4];

/// The answer to [`IDENTITY`].
pub(crate) fn identity(variables: &[Row]) -> Identity {
    ["server_uuid", "server_id", "hostname", "port"].map(|name| value(variables, name).to_owned())
}

/// The value of a variable; empty where the server has none such.
fn value<'a>(variables: &'a [Row], name: &str) -> &'a str {
    variables
        .iter()
        .find(|row| {
            row.first()
                .and_then(Option::as_deref)
                .is_some_and(|found| found.eq_ignore_ascii_case(name))
        })
        .and_then(|row| row.get(1)?.as_deref())
        .unwrap_or_default()
}

impl Facts {
    /// Reads the answers to [`QUESTIONS`].
    pub(crate) fn read(variables: &[Row], status: &[Row], session: Option<&Row>) -> Result<Self> {
        let variable = |name| value(variables, name);
        let column = |index: usize| session.and_then(|row| row.get(index)?.clone());
        let text = variable("version");
        let flavour = if [text, variable("version_comment")]
            .iter()
            .any(|text| text.to_lowercase().contains("mariadb"))
        {
            Flavour::MariaDb
        } else {
            Flavour::MySql
        };
        let provider = variable("wsrep_provider");
        Ok(Self {
            flavour,
            version: version(text),
            clustered: variable("wsrep_on").eq_ignore_ascii_case("on")
                && !matches!(provider, "" | "none"),
            identity: identity(variables),
            started: started(column(3).as_deref(), status),
            connection: column(0).and_then(|id| id.parse().ok()).ok_or_else(|| {
                Error::new(
                    ErrorKind::Connect,
                    "the server does not number its sessions",
                )
            })?,
            database: column(1),
            user: column(2),
            kills: Arc::new(AtomicU64::new(kills(status).unwrap_or_default())),
        })
    }

    /// Counts one KILL of our own.
    pub(crate) fn note_kill(&self) {
        self.kills.fetch_add(1, Ordering::SeqCst);
    }

    /// How many KILLs the server must have counted by now if all since the session began were ours.
    pub(crate) fn kills_expected(&self) -> u64 {
        self.kills.load(Ordering::SeqCst)
    }

    /// A condition that is true on this server and no other: several may stand behind one address.
    pub(crate) fn is_this_server(&self) -> String {
        let [_, id, host, port] = &self.identity;
        format!(
            "@@server_id = {} AND @@hostname = {} AND @@port = {}",
            literal(id),
            literal(host),
            literal(port)
        )
    }

    /// The number of this session; with its node, where there are several.
    pub(crate) fn session_id(&self) -> String {
        let [_, _, host, port] = &self.identity;
        match self.clustered {
            true => format!("{}@{host}:{port}", self.connection),
            false => self.connection.to_string(),
        }
    }

    /// The number of a session, by its name, where it is one of this server.
    pub(crate) fn own_session(&self, name: &str) -> Option<u64> {
        let [_, _, host, port] = &self.identity;
        let number = match name.split_once('@') {
            Some((number, node)) => (node == format!("{host}:{port}")).then_some(number)?,
            None => name,
        };
        number.parse().ok()
    }

    /// Whether a `DROP`, `CREATE … SELECT` or the like that the server's death cut short is taken back or finished when it starts again.
    pub(crate) fn has_atomic_ddl(&self) -> bool {
        match self.flavour {
            Flavour::MySql => self.version >= (8, 0, 21),
            Flavour::MariaDb => self.version >= (10, 6, 0),
        }
    }
}

/// Reads `8.4.3`, `10.11.6-MariaDB-0+deb12u1`, `5.5.5-10.5.29-MariaDB`.
fn version(text: &str) -> (u16, u16, u16) {
    let text = text.strip_prefix("5.5.5-").unwrap_or(text);
    let mut numbers = text
        .split(|character: char| !character.is_ascii_digit())
        .map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(variables: &[(&str, &str)]) -> Facts {
        let rows: Vec<_> = variables
            .iter()
            .map(|(name, value)| vec![Some((*name).to_owned()), Some((*value).to_owned())])
            .collect();
        Facts::read(
            &rows,
            &[vec![Some("Uptime".into()), Some("40".into())]],
            Some(&vec![
                Some("7".into()),
                None,
                Some("app@%".into()),
                Some("100".into()),
            ]),
        )
        .unwrap()
    }

    #[test]
    fn servers_are_told_apart() {
        let mysql = facts(&[
            ("version", "9.7.1"),
            ("version_comment", "MySQL Community Server - GPL"),
        ]);
        assert_eq!(
            (mysql.flavour, mysql.version, mysql.clustered),
            (Flavour::MySql, (9, 7, 1), false)
        );
        let old = facts(&[
            ("version", "5.5.5-10.5.29-MariaDB-0+deb11u1"),
            ("wsrep_on", "OFF"),
        ]);
        assert_eq!(
            (old.flavour, old.version, old.clustered),
            (Flavour::MariaDb, (10, 5, 29), false)
        );
        assert!(!old.has_atomic_ddl() && mysql.has_atomic_ddl());
        let galera = [
            ("version", "11.8.2-MariaDB"),
            ("wsrep_on", "ON"),
            ("wsrep_provider", "/usr/lib/libgalera_smm.so"),
        ];
        assert!(facts(&galera).clustered);
        let node = [&galera[..], &[("hostname", "db1"), ("port", "3306")]].concat();
        assert_eq!(facts(&node).session_id(), "7@db1:3306");
        assert_eq!(facts(&node).own_session("7@db1:3306"), Some(7));
        assert_eq!(facts(&node).own_session("7@db2:3306"), None);
        assert_eq!(mysql.own_session(&mysql.session_id()), Some(7));
        assert!(!facts(&[("wsrep_on", "ON"), ("wsrep_provider", "none")]).clustered);
        assert_eq!(mysql.started, 60);
        assert_eq!(
            (mysql.connection, mysql.database, mysql.user.as_deref()),
            (7, None, Some("app@%"))
        );
    }
}
