//! The server's version, identity and settings, which are read when a session starts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lockage_core::{Error, ErrorKind, Result};
use lockage_sql::Row;

use crate::dialect::literal;

/// The product that runs on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Product {
    /// MySQL, Percona Server, and any server that does not identify itself as MariaDB.
    MySql,
    /// MariaDB.
    MariaDb,
}

/// The server of a session, and the session itself.
#[derive(Debug, Clone)]
pub(crate) struct ServerInfo {
    pub(crate) product: Product,
    /// Major, minor and patch.
    pub(crate) version: (u16, u16, u16),
    /// Whether the server is a node of a Galera or Percona XtraDB cluster.
    pub(crate) clustered: bool,
    /// Distinguishes this server from others at the same address.
    pub(crate) server_id: ServerId,
    /// When the server started, in seconds since 1970 by its own clock, accurate to one second; zero if unknown.
    pub(crate) started_at: u64,
    /// The number of this session.
    pub(crate) connection: u64,
    /// The database of the session at its start.
    pub(crate) database: Option<String>,
    /// The maximum length of a statement in bytes; `None` if the server did not return it.
    pub(crate) max_packet: Option<usize>,
    /// The account.
    pub(crate) user: Option<String>,
    /// The server's count of KILL statements at the start of the session, without those of this client.
    foreign_kills: u64,
    /// The KILL statements of this client, of all its sessions on the server.
    own_kills: Arc<AtomicU64>,
}

/// Reads everything for [`ServerInfo::read`], as three result sets. `SHOW VARIABLES` omits variables that the server does not have.
pub(crate) const SERVER_INFO_QUERY: &str = "SHOW VARIABLES WHERE Variable_name IN ('version', 'version_comment', 'wsrep_on', \
     'wsrep_provider', 'server_uuid', 'server_id', 'hostname', 'port', 'max_allowed_packet'); SHOW GLOBAL STATUS WHERE Variable_name IN ('Uptime', 'Com_kill'); \
     SELECT CONNECTION_ID(), DATABASE(), CURRENT_USER(), UNIX_TIMESTAMP()";

/// Reads what distinguishes this server from others at the same address.
pub(crate) const SERVER_ID_QUERY: &str =
    "SHOW VARIABLES WHERE Variable_name IN ('server_uuid', 'server_id', 'hostname', 'port')";

/// Reads the uptime and the count of KILL statements, then the current time, as two result sets.
pub(crate) const UPTIME_QUERY: &str =
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('Uptime', 'Com_kill'); SELECT UNIX_TIMESTAMP()";

/// By how many seconds a computed start time may vary while the server runs.
const CLOCK_TOLERANCE_SECS: u64 = 2;

/// Returns how many KILL statements the server has counted since its start.
pub(crate) fn kill_count(status: &[Row]) -> Option<u64> {
    value(status, "Com_kill").parse().ok()
}

/// Returns when the server started, by its own clock; zero if unknown.
pub(crate) fn started_at(now: Option<&str>, status: &[Row]) -> u64 {
    now.and_then(|now| now.parse::<u64>().ok())
        .zip(value(status, "Uptime").parse().ok())
        .map_or(0, |(now, uptime)| now.saturating_sub(uptime))
}

/// The variables `server_uuid`, `server_id`, `hostname` and `port`.
pub(crate) type ServerId = [String; 4];

/// Reads the result of [`SERVER_ID_QUERY`].
pub(crate) fn server_id(variables: &[Row]) -> ServerId {
    ["server_uuid", "server_id", "hostname", "port"].map(|name| value(variables, name).to_owned())
}

/// Returns the value of a variable; empty if the server does not have it.
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

impl ServerInfo {
    /// Reads the results of [`SERVER_INFO_QUERY`].
    pub(crate) fn read(variables: &[Row], status: &[Row], session: Option<&Row>) -> Result<Self> {
        let variable = |name| value(variables, name);
        let column = |index: usize| session.and_then(|row| row.get(index)?.clone());
        let text = variable("version");
        let product = if [text, variable("version_comment")]
            .iter()
            .any(|text| text.to_lowercase().contains("mariadb"))
        {
            Product::MariaDb
        } else {
            Product::MySql
        };
        let provider = variable("wsrep_provider");
        Ok(Self {
            product,
            version: version(text),
            clustered: variable("wsrep_on").eq_ignore_ascii_case("on")
                && !matches!(provider, "" | "none"),
            server_id: server_id(variables),
            started_at: started_at(column(3).as_deref(), status),
            connection: column(0).and_then(|id| id.parse().ok()).ok_or_else(|| {
                Error::new(
                    ErrorKind::Connect,
                    "the server did not return a number for the session",
                )
            })?,
            database: column(1),
            max_packet: variable("max_allowed_packet").parse().ok(),
            user: column(2),
            foreign_kills: kill_count(status).unwrap_or_default(),
            own_kills: Arc::default(),
        })
    }

    /// Counts the KILL statements of this client in a counter that its sessions share: the session that renews a lease must not
    /// take a KILL of the session that holds it for one of another client, nor the reverse.
    #[must_use]
    pub(crate) fn with_own_kills(mut self, own_kills: Arc<AtomicU64>) -> Self {
        self.foreign_kills = self
            .foreign_kills
            .wrapping_sub(own_kills.load(Ordering::SeqCst));
        self.own_kills = own_kills;
        self
    }

    /// Counts a KILL statement of this client.
    pub(crate) fn count_own_kill(&self) {
        self.own_kills.fetch_add(1, Ordering::SeqCst);
    }

    /// Returns the count that the server reports if no other client ran KILL since the session started.
    pub(crate) fn expected_kill_count(&self) -> u64 {
        self.foreign_kills
            .wrapping_add(self.own_kills.load(Ordering::SeqCst))
    }

    /// Returns whether a server with this start time is still the same process.
    pub(crate) fn has_started_at(&self, started_at: u64) -> bool {
        self.started_at.abs_diff(started_at) <= CLOCK_TOLERANCE_SECS
    }

    /// Returns a condition that is true only on this server: several servers can share an address.
    pub(crate) fn is_this_server_sql(&self) -> String {
        let [_, id, host, port] = &self.server_id;
        format!(
            "@@server_id = {} AND @@hostname = {} AND @@port = {}",
            literal(id),
            literal(host),
            literal(port)
        )
    }

    /// Returns the identifier of this session: its number, and on a cluster its node.
    pub(crate) fn session_id(&self) -> String {
        let [_, _, host, port] = &self.server_id;
        match self.clustered {
            true => format!("{}@{host}:{port}", self.connection),
            false => self.connection.to_string(),
        }
    }

    /// Returns the number of a session of this server; `None` for an identifier of another cluster node.
    pub(crate) fn parse_own_session(&self, id: &str) -> Option<u64> {
        let [_, _, host, port] = &self.server_id;
        let number = match id.split_once('@') {
            Some((number, node)) => (node == format!("{host}:{port}")).then_some(number)?,
            None => id,
        };
        number.parse().ok()
    }

    /// Returns whether a restarting server completes or rolls back `DROP`, `CREATE … SELECT` and similar statements that a crash
    /// interrupted.
    pub(crate) fn has_atomic_ddl(&self) -> bool {
        match self.product {
            Product::MySql => self.version >= (8, 0, 21),
            Product::MariaDb => self.version >= (10, 6, 0),
        }
    }
}

/// Parses `8.4.3`, `10.11.6-MariaDB-0+deb12u1`, `5.5.5-10.5.29-MariaDB`.
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

    fn server_info(variables: &[(&str, &str)]) -> ServerInfo {
        let rows: Vec<_> = variables
            .iter()
            .map(|(name, value)| vec![Some((*name).to_owned()), Some((*value).to_owned())])
            .collect();
        ServerInfo::read(
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
    fn server_info_identifies_product_version_and_node() {
        let mysql = server_info(&[
            ("version", "9.7.1"),
            ("version_comment", "MySQL Community Server - GPL"),
        ]);
        assert_eq!(
            (mysql.product, mysql.version, mysql.clustered),
            (Product::MySql, (9, 7, 1), false)
        );
        let old = server_info(&[
            ("version", "5.5.5-10.5.29-MariaDB-0+deb11u1"),
            ("wsrep_on", "OFF"),
        ]);
        assert_eq!(
            (old.product, old.version, old.clustered),
            (Product::MariaDb, (10, 5, 29), false)
        );
        assert!(!old.has_atomic_ddl() && mysql.has_atomic_ddl());
        let galera = [
            ("version", "11.8.2-MariaDB"),
            ("wsrep_on", "ON"),
            ("wsrep_provider", "/usr/lib/libgalera_smm.so"),
        ];
        assert!(server_info(&galera).clustered);
        let node = [&galera[..], &[("hostname", "db1"), ("port", "3306")]].concat();
        assert_eq!(server_info(&node).session_id(), "7@db1:3306");
        assert_eq!(server_info(&node).parse_own_session("7@db1:3306"), Some(7));
        assert_eq!(server_info(&node).parse_own_session("7@db2:3306"), None);
        assert_eq!(mysql.parse_own_session(&mysql.session_id()), Some(7));
        assert!(!server_info(&[("wsrep_on", "ON"), ("wsrep_provider", "none")]).clustered);
        assert_eq!(mysql.started_at, 60);
        assert_eq!(
            (mysql.connection, mysql.database, mysql.user.as_deref()),
            (7, None, Some("app@%"))
        );
    }
}
