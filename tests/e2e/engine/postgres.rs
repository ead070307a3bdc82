//! PostgreSQL, with its own driver.

use std::sync::Arc;

use lockage_test_matrix::engine::PostgresSource;
use lockage_testkit::unique_name;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::{Database, Engine, LimitedAccount, with_database};

/// The name of the engine whose URL is that of a transaction-pooling proxy.
const TRANSACTION_POOLER: &str = "pooled-by-transaction";

/// The server that `LOCKAGE_TEST_POSTGRES_URL` names, or one that is started from installed binaries.
pub(crate) struct Server {
    source: Result<Arc<PostgresSource>, String>,
    transaction_pooler: bool,
}

impl Server {
    pub(crate) fn find() -> Self {
        let url = std::env::var("LOCKAGE_TEST_POSTGRES_URL").ok();
        let path = std::env::var("PATH").unwrap_or_default();
        Self {
            source: PostgresSource::find(url, &path).map(Arc::new),
            transaction_pooler: false,
        }
    }

    /// A server that is reached through a transaction-pooling proxy, which only the test matrix provides.
    pub(crate) fn transaction_pooler() -> Self {
        let selected = std::env::var("LOCKAGE_TEST_ENGINE");
        Self {
            source: match selected.is_ok_and(|engine| engine == TRANSACTION_POOLER) {
                true => Self::find().source,
                false => Err(format!("LOCKAGE_TEST_ENGINE is not {TRANSACTION_POOLER}")),
            },
            transaction_pooler: true,
        }
    }
}

impl Engine for Server {
    fn name(&self) -> String {
        let name = if self.transaction_pooler {
            TRANSACTION_POOLER
        } else {
            "postgres"
        };
        name.into()
    }

    fn rejects_runs(&self) -> bool {
        self.transaction_pooler
    }

    fn unavailable_reason(&self) -> Option<String> {
        self.source.as_ref().err().cloned()
    }

    fn create_database(&self) -> Result<Box<dyn Database>, String> {
        let server = Arc::clone(self.source.as_ref()?);
        let admin = server.url().map_err(|error| error.to_string())?;
        let name = unique_name("e2e");
        query(&admin, &format!("CREATE DATABASE {name}"))?;
        Ok(Box::new(TestDatabase {
            url: with_database(&admin, &name),
            admin,
            name,
            _server: server,
        }))
    }

    fn sleep_20s_sql(&self) -> String {
        "SELECT pg_sleep(20)".into()
    }

    fn sleep_forever_sql(&self) -> String {
        "SELECT pg_sleep(3600)".into()
    }

    fn sleep_sql(&self) -> String {
        "SELECT pg_sleep(0.02)".into()
    }

    fn running_sleeps_sql(&self) -> Option<&'static str> {
        Some(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3600)%' AND state = 'active' \
             AND datname = current_database() AND pid <> pg_backend_pid()",
        )
    }

    fn lock_waiters_sql(&self) -> Option<&'static str> {
        Some(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
    }

    fn create_limited_account(&self, database: &dyn Database) -> Result<LimitedAccount, String> {
        let name = unique_name("limited");
        database.query_column(&format!("CREATE ROLE {name} LOGIN PASSWORD 'secret'"))?;
        Ok(LimitedAccount::new(
            database,
            &name,
            format!("DROP ROLE {name}"),
        ))
    }

    /// Starts a new WAL segment: PostgreSQL shuts down when it cannot create the next one.
    fn fill_disk_setup_sql(&self) -> Option<&'static str> {
        Some("SELECT pg_switch_wal()")
    }

    fn terminate_session_sql(&self, session: &str) -> String {
        format!("SELECT pg_terminate_backend({session})")
    }

    fn concurrent_index_sql(&self) -> Option<(&'static str, &'static str)> {
        Some((
            "CREATE INDEX CONCURRENTLY marker_n ON marker (n)",
            "SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'marker_n'::regclass",
        ))
    }
}

struct TestDatabase {
    url: String,
    admin: String,
    name: String,
    _server: Arc<PostgresSource>,
}

impl Database for TestDatabase {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn query_column(&self, sql: &str) -> Result<Vec<String>, String> {
        query(&self.url, sql)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // An error leaves the database until the server is removed.
        let _ = query(
            &self.admin,
            &format!("DROP DATABASE {} WITH (FORCE)", self.name),
        );
    }
}

/// Runs a statement and returns the first column of its result.
fn query(url: &str, sql: &str) -> Result<Vec<String>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let to_text = |error: tokio_postgres::Error| format!("{sql}: {error:?}");
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.map_err(to_text)?;
        let driver = tokio::spawn(connection);
        let messages = client.simple_query(sql).await.map_err(to_text)?;
        drop(client);
        let _ = driver.await;
        Ok(messages
            .into_iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
                _ => None,
            })
            .collect())
    })
}
