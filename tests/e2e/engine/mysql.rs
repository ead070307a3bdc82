//! MySQL, MariaDB and Galera, with their own driver.

use std::sync::Arc;

use lockage_test_matrix::engine::MariadbSource;
use lockage_testkit::unique_name;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Row, from_value_opt};

use super::{Database, Engine, LimitedAccount, wait_for, with_database};

/// A server with MySQL's protocol: one that a URL names, or a MariaDB that is started from installed binaries.
pub(crate) struct Server {
    name: &'static str,
    /// The URLs of all nodes of a cluster; empty for a single server.
    nodes: Vec<String>,
    source: Result<Arc<MariadbSource>, String>,
}

impl Server {
    pub(crate) fn mariadb() -> Self {
        let path = std::env::var("PATH").unwrap_or_default();
        let url = std::env::var("LOCKAGE_TEST_MARIADB_URL").ok();
        Self {
            name: "mariadb",
            nodes: Vec::new(),
            source: MariadbSource::find(url, &path).map(Arc::new),
        }
    }

    pub(crate) fn mysql() -> Self {
        let source = match std::env::var("LOCKAGE_TEST_MYSQL_URL") {
            Ok(url) => MariadbSource::find(Some(url), ""),
            Err(_) => Err("set LOCKAGE_TEST_MYSQL_URL".to_owned()),
        };
        Self {
            name: "mysql",
            nodes: Vec::new(),
            source: source.map(Arc::new),
        }
    }

    /// The nodes that `LOCKAGE_TEST_GALERA_URLS` names, separated by commas. The processes use all of them.
    pub(crate) fn galera() -> Self {
        let urls = std::env::var("LOCKAGE_TEST_GALERA_URLS").unwrap_or_default();
        let nodes: Vec<String> = urls.split(',').map(str::to_owned).collect();
        let source = match urls.is_empty() {
            true => Err("set LOCKAGE_TEST_GALERA_URLS".to_owned()),
            false => MariadbSource::find(nodes.first().cloned(), ""),
        };
        Self {
            name: "galera",
            nodes,
            source: source.map(Arc::new),
        }
    }
}

impl Engine for Server {
    fn name(&self) -> String {
        self.name.into()
    }

    fn unavailable_reason(&self) -> Option<String> {
        self.source.as_ref().err().cloned()
    }

    fn create_database(&self) -> Result<Box<dyn Database>, String> {
        let server = Arc::clone(self.source.as_ref()?);
        let admin = server.url().map_err(|error| error.to_string())?;
        let name = unique_name("e2e");
        query(&admin, &format!("CREATE DATABASE {name}"))?;
        let url = with_database(&admin, &name);
        let urls = match self.nodes.is_empty() {
            true => vec![url.clone()],
            false => self
                .nodes
                .iter()
                .map(|node| with_database(node, &name))
                .collect(),
        };
        // The other nodes of a cluster see it a little later.
        for url in &urls {
            wait_for("the new database", || Ok(query(url, "SELECT 1").ok()))?;
        }
        Ok(Box::new(TestDatabase {
            url,
            urls,
            clustered: !self.nodes.is_empty(),
            admin,
            name,
            _server: server,
        }))
    }

    fn sleep_20s_sql(&self) -> String {
        "DO SLEEP(20)".into()
    }

    fn sleep_forever_sql(&self) -> String {
        "DO SLEEP(3600)".into()
    }

    fn sleep_sql(&self) -> String {
        "DO SLEEP(0.02)".into()
    }

    fn running_sleeps_sql(&self) -> Option<&'static str> {
        Some(
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE '%SLEEP(3600)%' AND DB = DATABASE() \
             AND ID <> CONNECTION_ID()",
        )
    }

    fn lock_waiters_sql(&self) -> Option<&'static str> {
        // MariaDB rejects the negative timeout of sqlx, and sqlx continues without a lock.
        (self.name == "mysql").then_some(
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE = 'User lock' AND DB = DATABASE()",
        )
    }

    fn create_limited_account(&self, database: &dyn Database) -> Result<LimitedAccount, String> {
        let name = unique_name("limited");
        database.query_column(&format!("CREATE USER {name} IDENTIFIED BY 'secret'"))?;
        let drop_sql = format!("DROP USER {name}");
        let schema = database.query_column("SELECT DATABASE()")?.concat();
        database.query_column(&format!("GRANT SELECT ON {schema}.* TO {name}"))?;
        Ok(LimitedAccount::new(database, &name, drop_sql))
    }

    /// MySQL shuts down when a session that waits for space for the binary log is killed.
    fn fill_disk_setup_sql(&self) -> Option<&'static str> {
        (self.name == "mysql").then_some("SET GLOBAL binlog_error_action = IGNORE_ERROR")
    }

    fn terminate_session_sql(&self, session: &str) -> String {
        format!("KILL {session}")
    }

    fn transactional_ddl(&self) -> bool {
        false
    }

    fn uses_row_lock(&self) -> bool {
        !self.nodes.is_empty()
            || std::env::var("LOCKAGE_TEST_LOCK_STRATEGY").is_ok_and(|lock| lock == "table")
    }
}

struct TestDatabase {
    url: String,
    urls: Vec<String>,
    clustered: bool,
    admin: String,
    name: String,
    _server: Arc<MariadbSource>,
}

impl Database for TestDatabase {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn urls(&self) -> Vec<String> {
        self.urls.clone()
    }

    fn query_column(&self, sql: &str) -> Result<Vec<String>, String> {
        match self.clustered {
            // Wait for the writes of other nodes.
            true => query_after(&self.url, "SET SESSION wsrep_sync_wait = 1", sql),
            false => query(&self.url, sql),
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // An error leaves the database until the server is removed.
        let _ = query(&self.admin, &format!("DROP DATABASE {}", self.name));
    }
}

/// Runs a statement and returns the first column of its result.
fn query(url: &str, sql: &str) -> Result<Vec<String>, String> {
    query_after(url, "DO 0", sql)
}

/// Runs `setup`, then `sql`, in one session. Returns the first column of the result of `sql`.
fn query_after(url: &str, setup: &str, sql: &str) -> Result<Vec<String>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let to_text = |error: mysql_async::Error| format!("{sql}: {error}");
    runtime.block_on(async {
        let opts = Opts::from_url(&url.replacen("mariadb://", "mysql://", 1))
            .map_err(|error| error.to_string())?;
        let mut connection = Conn::new(opts).await.map_err(to_text)?;
        connection.query_drop(setup).await.map_err(to_text)?;
        let rows: Vec<Row> = connection.query(sql).await.map_err(to_text)?;
        connection.disconnect().await.map_err(to_text)?;
        rows.into_iter()
            .map(|mut row| {
                let value = row.take(0).ok_or("an empty row")?;
                from_value_opt::<String>(value).map_err(|error| error.to_string())
            })
            .collect()
    })
}
