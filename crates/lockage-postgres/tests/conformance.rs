//! The conformance suite on a real PostgreSQL.

use std::process::ExitCode;
use std::time::Duration;

use lockage_core::{LockHolder, LockKey};
use lockage_postgres::BACKEND;
use lockage_testkit::engine::PostgresOrigin;
use lockage_testkit::{Failure, Fixture, Gate, Need, async_trait, conformance, unique_name};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

struct Postgres {
    origin: Result<PostgresOrigin, String>,
    version: u32,
}

#[async_trait]
impl Fixture for Postgres {
    fn lacks(&self, need: Need) -> Option<String> {
        match need {
            Need::Engine => self.origin.as_ref().err().cloned(),
            Need::Gate | Need::GiveUpLock | Need::EndSession | Need::Processes => None,
            Need::NoticesDeadClient => (self.version < 14)
                .then(|| "PostgreSQL 13 looks for its client only when a statement ends".into()),
            Need::TakeAwayLock => {
                Some("nobody but its session can give up an advisory lock".into())
            }
            need => Some(format!("{need:?} is not known to this fixture")),
        }
    }

    async fn create_database(&self) -> Result<String, Failure> {
        let name = unique_name("case");
        let server = self.server()?;
        client(&server)
            .await?
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await?;
        Ok(with_database(&server, &name))
    }

    async fn drop_database(&self, url: &str) -> Result<(), Failure> {
        let name = url.rsplit('/').next().unwrap_or_default();
        let drop = format!("DROP DATABASE {name} WITH (FORCE)");
        Ok(client(&self.server()?).await?.batch_execute(&drop).await?)
    }

    async fn tables(&self, url: &str) -> Result<Vec<String>, Failure> {
        texts(
            url,
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
        )
        .await
    }

    async fn rows(&self, url: &str, table: &str) -> Result<Vec<i64>, Failure> {
        let rows = texts(url, &format!("SELECT n FROM {table} ORDER BY n")).await?;
        Ok(rows.iter().map(|n| n.parse()).collect::<Result<_, _>>()?)
    }

    async fn execute(&self, url: &str, statement: &str) -> Result<(), Failure> {
        Ok(client(url).await?.batch_execute(statement).await?)
    }

    fn gate(&self, gate: &str) -> Result<String, Failure> {
        Ok(format!(
            "SELECT pg_advisory_xact_lock_shared({GATES}, hashtext('{gate}'))"
        ))
    }

    async fn close_gate(&self, url: &str, gate: &str) -> Result<Box<dyn Gate>, Failure> {
        let client = client(url).await?;
        client
            .batch_execute(&format!(
                "SELECT pg_advisory_lock({GATES}, hashtext('{gate}'))"
            ))
            .await?;
        Ok(Box::new(LockedGate { client }))
    }

    fn give_up_lock(&self, _key: &LockKey) -> Result<String, Failure> {
        Ok("SELECT pg_advisory_unlock_all()".into())
    }

    async fn end_session(&self, url: &str, holder: &LockHolder) -> Result<(), Failure> {
        let pid = holder
            .session
            .as_deref()
            .ok_or("a holder without a session")?;
        self.execute(url, &format!("SELECT pg_terminate_backend({pid})"))
            .await
    }
}

/// The first half of the keys of gates.
const GATES: i32 = 20_061;

/// Open as soon as its session ends.
struct LockedGate {
    client: Client,
}

#[async_trait]
impl Gate for LockedGate {
    async fn reached(&self) -> Result<(), Failure> {
        // Other cases have gates of the same name in databases of their own.
        let standing = format!(
            "SELECT 1 FROM pg_locks WHERE classid = {GATES} AND NOT granted \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        );
        while first_column(&self.client, &standing).await?.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    async fn open(self: Box<Self>) -> Result<(), Failure> {
        Ok(self
            .client
            .batch_execute("SELECT pg_advisory_unlock_all()")
            .await?)
    }
}

impl Postgres {
    fn server(&self) -> Result<String, Failure> {
        self.origin.as_ref().map_err(String::as_str)?.url()
    }
}

/// The URL of another database of the same server.
fn with_database(url: &str, name: &str) -> String {
    let (server, _) = url.rsplit_once('/').unwrap_or((url, ""));
    format!("{server}/{name}")
}

async fn client(url: &str) -> Result<Client, Failure> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn texts(url: &str, query: &str) -> Result<Vec<String>, Failure> {
    first_column(&client(url).await?, query).await
}

async fn first_column(client: &Client, query: &str) -> Result<Vec<String>, Failure> {
    let mut values = Vec::new();
    for message in client.simple_query(query).await? {
        if let SimpleQueryMessage::Row(row) = message {
            values.push(row.get(0).unwrap_or_default().to_owned());
        }
    }
    Ok(values)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test program reads its environment"
)]
fn main() -> ExitCode {
    let url = std::env::var("LOCKAGE_TEST_POSTGRES_URL").ok();
    let path = std::env::var("PATH").unwrap_or_default();
    // Of binaries the newest are taken; a server that is there already is asked.
    let version = url.as_deref().and_then(version).unwrap_or(u32::MAX);
    conformance(
        BACKEND,
        Postgres {
            origin: PostgresOrigin::find(url, &path),
            version,
        },
    )
}

fn version(url: &str) -> Option<u32> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    let text = runtime
        .block_on(texts(url, "SHOW server_version_num"))
        .ok()?;
    Some(text.first()?.parse::<u32>().ok()? / 10_000)
}
