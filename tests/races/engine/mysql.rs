use std::sync::Arc;

use lockage_test_matrix::engine::MariadbSource;
use lockage_testkit::unique_name;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Row, from_value_opt};

use super::{Database, Engine, Stranger, wait_for, with_database};

/// A server that speaks MySQL's protocol: of a URL, or MariaDB from the machine's binaries.
pub(crate) struct Server {
    name: &'static str,
    /// All nodes of a cluster.
    nodes: Vec<String>,
    origin: Result<Arc<MariadbSource>, String>,
}

impl Server {
    pub(crate) fn mariadb() -> Self {
        let path = std::env::var("PATH").unwrap_or_default();
        let url = std::env::var("LOCKAGE_TEST_MARIADB_URL").ok();
        Self {
            name: "mariadb",
            nodes: Vec::new(),
            origin: MariadbSource::find(url, &path).map(Arc::new),
        }
    }

    pub(crate) fn mysql() -> Self {
        let origin = match std::env::var("LOCKAGE_TEST_MYSQL_URL") {
            Ok(url) => MariadbSource::find(Some(url), ""),
            Err(_) => Err("set LOCKAGE_TEST_MYSQL_URL".to_owned()),
        };
        Self {
            name: "mysql",
            nodes: Vec::new(),
            origin: origin.map(Arc::new),
        }
    }
}

impl Server {
    /// The nodes of `LOCKAGE_TEST_GALERA_URLS`, separated by commas; processes go to all of them.
    pub(crate) fn galera() -> Self {
        let urls = std::env::var("LOCKAGE_TEST_GALERA_URLS").unwrap_or_default();
        let nodes: Vec<String> = urls.split(',').map(str::to_owned).collect();
        let origin = match urls.is_empty() {
            true => Err("set LOCKAGE_TEST_GALERA_URLS".to_owned()),
            false => MariadbSource::find(nodes.first().cloned(), ""),
        };
        Self {
            name: "galera",
            nodes,
            origin: origin.map(Arc::new),
        }
    }
}

impl Engine for Server {
    fn name(&self) -> String {
        self.name.into()
    }

    fn missing(&self) -> Option<String> {
        self.origin.as_ref().err().cloned()
    }

    fn fresh(&self) -> Result<Box<dyn Database>, String> {
        let server = Arc::clone(self.origin.as_ref()?);
        let admin = server.url().map_err(|error| error.to_string())?;
        let name = unique_name("race");
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
        // Other nodes of a cluster see it a little later.
        for url in &urls {
            wait_for("the new database", || Ok(query(url, "SELECT 1").ok()))?;
        }
        Ok(Box::new(OneDatabase {
            url,
            urls,
            clustered: !self.nodes.is_empty(),
            admin,
            name,
            _server: server,
        }))
    }

    fn twenty_seconds(&self) -> String {
        "DO SLEEP(20)".into()
    }

    fn forever(&self) -> String {
        "DO SLEEP(3600)".into()
    }

    fn pause(&self) -> String {
        "DO SLEEP(0.02)".into()
    }

    fn sleepers(&self) -> Option<&'static str> {
        Some(
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE '%SLEEP(3600)%' AND DB = DATABASE() \
             AND ID <> CONNECTION_ID()",
        )
    }

    fn waits_for_lock(&self) -> Option<&'static str> {
        // MariaDB refuses the way in which sqlx asks.
        (self.name == "mysql").then_some(
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE = 'User lock' AND DB = DATABASE()",
        )
    }

    fn stranger(&self, database: &dyn Database) -> Result<Stranger, String> {
        let name = unique_name("stranger");
        database.column(&format!("CREATE USER {name} IDENTIFIED BY 'secret'"))?;
        let forget = format!("DROP USER {name}");
        let home = database.column("SELECT DATABASE()")?.concat();
        database.column(&format!("GRANT SELECT ON {home}.* TO {name}"))?;
        Ok(Stranger::new(database, &name, forget))
    }

    /// MySQL ends itself when a session that waits for room for the binary log is ended.
    fn before_a_full_disk(&self) -> Option<&'static str> {
        (self.name == "mysql").then_some("SET GLOBAL binlog_error_action = IGNORE_ERROR")
    }

    fn ends(&self, session: &str) -> String {
        format!("KILL {session}")
    }

    fn transactional_ddl(&self) -> bool {
        false
    }

    fn locks_by_row(&self) -> bool {
        !self.nodes.is_empty()
            || std::env::var("LOCKAGE_TEST_LOCK_STRATEGY").is_ok_and(|lock| lock == "table")
    }
}

struct OneDatabase {
    url: String,
    urls: Vec<String>,
    clustered: bool,
    admin: String,
    name: String,
    _server: Arc<MariadbSource>,
}

impl Database for OneDatabase {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn urls(&self) -> Vec<String> {
        self.urls.clone()
    }

    fn column(&self, sql: &str) -> Result<Vec<String>, String> {
        match self.clustered {
            // What another node wrote is waited for.
            true => query_after(&self.url, "SET SESSION wsrep_sync_wait = 1", sql),
            false => query(&self.url, sql),
        }
    }
}

impl Drop for OneDatabase {
    fn drop(&mut self) {
        // What is left of it goes with the server.
        let _ = query(&self.admin, &format!("DROP DATABASE {}", self.name));
    }
}

/// The first column of what a statement gives.
fn query(url: &str, sql: &str) -> Result<Vec<String>, String> {
    query_after(url, "DO 0", sql)
}

/// The same behind a statement that gives nothing.
fn query_after(url: &str, first: &str, sql: &str) -> Result<Vec<String>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let told = |error: mysql_async::Error| format!("{sql}: {error}");
    runtime.block_on(async {
        let opts = Opts::from_url(&url.replacen("mariadb://", "mysql://", 1))
            .map_err(|error| error.to_string())?;
        let mut connection = Conn::new(opts).await.map_err(told)?;
        connection.query_drop(first).await.map_err(told)?;
        let rows: Vec<Row> = connection.query(sql).await.map_err(told)?;
        connection.disconnect().await.map_err(told)?;
        rows.into_iter()
            .map(|mut row| {
                let value = row.take(0).ok_or("an empty row")?;
                from_value_opt::<String>(value).map_err(|error| error.to_string())
            })
            .collect()
    })
}
