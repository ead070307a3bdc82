use std::sync::Arc;

use lockage_test_matrix::engine::PostgresSource;
use lockage_testkit::unique_name;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::{Database, Engine, Stranger, with_database};

/// The name of the engine whose URL leads to a pooler that keeps no session.
const POOLED: &str = "pooled-by-transaction";

/// The server of `LOCKAGE_TEST_POSTGRES_URL`, or one from the machine's binaries.
pub(crate) struct Server {
    origin: Result<Arc<PostgresSource>, String>,
    pooled_by_transaction: bool,
}

impl Server {
    pub(crate) fn find() -> Self {
        let url = std::env::var("LOCKAGE_TEST_POSTGRES_URL").ok();
        let path = std::env::var("PATH").unwrap_or_default();
        Self {
            origin: PostgresSource::find(url, &path).map(Arc::new),
            pooled_by_transaction: false,
        }
    }

    /// Only the matrix has a pooler at the URL.
    pub(crate) fn pooled_by_transaction() -> Self {
        let asked = std::env::var("LOCKAGE_TEST_ENGINE");
        Self {
            origin: match asked.is_ok_and(|engine| engine == POOLED) {
                true => Self::find().origin,
                false => Err(format!("LOCKAGE_TEST_ENGINE is not {POOLED}")),
            },
            pooled_by_transaction: true,
        }
    }
}

impl Engine for Server {
    fn name(&self) -> String {
        let name = if self.pooled_by_transaction {
            POOLED
        } else {
            "postgres"
        };
        name.into()
    }

    fn refuses(&self) -> bool {
        self.pooled_by_transaction
    }

    fn missing(&self) -> Option<String> {
        self.origin.as_ref().err().cloned()
    }

    fn fresh(&self) -> Result<Box<dyn Database>, String> {
        let server = Arc::clone(self.origin.as_ref()?);
        let admin = server.url().map_err(|error| error.to_string())?;
        let name = unique_name("race");
        query(&admin, &format!("CREATE DATABASE {name}"))?;
        Ok(Box::new(OneDatabase {
            url: with_database(&admin, &name),
            admin,
            name,
            _server: server,
        }))
    }

    fn twenty_seconds(&self) -> String {
        "SELECT pg_sleep(20)".into()
    }

    fn forever(&self) -> String {
        "SELECT pg_sleep(3600)".into()
    }

    fn pause(&self) -> String {
        "SELECT pg_sleep(0.02)".into()
    }

    fn sleepers(&self) -> Option<&'static str> {
        Some(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3600)%' AND state = 'active' \
             AND datname = current_database() AND pid <> pg_backend_pid()",
        )
    }

    fn waits_for_lock(&self) -> Option<&'static str> {
        Some(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
    }

    fn stranger(&self, database: &dyn Database) -> Result<Stranger, String> {
        let name = unique_name("stranger");
        database.column(&format!("CREATE ROLE {name} LOGIN PASSWORD 'secret'"))?;
        Ok(Stranger::new(database, &name, format!("DROP ROLE {name}")))
    }

    /// A new file of its log: where there is no room for the next one, it ends itself.
    fn before_a_full_disk(&self) -> Option<&'static str> {
        Some("SELECT pg_switch_wal()")
    }

    fn ends(&self, session: &str) -> String {
        format!("SELECT pg_terminate_backend({session})")
    }

    fn concurrent_index(&self) -> Option<(&'static str, &'static str)> {
        Some((
            "CREATE INDEX CONCURRENTLY witness_n ON witness (n)",
            "SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'witness_n'::regclass",
        ))
    }
}

struct OneDatabase {
    url: String,
    admin: String,
    name: String,
    _server: Arc<PostgresSource>,
}

impl Database for OneDatabase {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn column(&self, sql: &str) -> Result<Vec<String>, String> {
        query(&self.url, sql)
    }
}

impl Drop for OneDatabase {
    fn drop(&mut self) {
        // What is left of it goes with the server.
        let _ = query(
            &self.admin,
            &format!("DROP DATABASE {} WITH (FORCE)", self.name),
        );
    }
}

/// The first column of what a statement gives.
fn query(url: &str, sql: &str) -> Result<Vec<String>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let told = |error: tokio_postgres::Error| format!("{sql}: {error:?}");
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.map_err(told)?;
        let driver = tokio::spawn(connection);
        let messages = client.simple_query(sql).await.map_err(told)?;
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
