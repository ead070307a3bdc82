//! The conformance suite on a Firebird server that the test starts from the machine's binaries.

mod server;

use std::sync::OnceLock;
use std::time::Duration;

use lockage_core::LockHolder;
use lockage_firebird::BACKEND;
use lockage_testkit::{Ability, Barrier, Fixture, TestError, async_trait, unique_name};

use server::Server;

/// The table of closed barriers, which exists in each database.
const BARRIERS: &str = "lk_barriers";

struct Firebird {
    server: OnceLock<Result<Server, String>>,
    unavailable: Option<String>,
}

impl Firebird {
    fn server(&self) -> Result<&Server, TestError> {
        let server = self
            .server
            .get_or_init(|| Server::start().map_err(|error| error.to_string()));
        server.as_ref().map_err(|error| error.clone().into())
    }

    async fn query(&self, url: &str, sql: &str) -> Result<Vec<String>, TestError> {
        run_query(self.server()?, path(url)?, sql.to_owned()).await
    }
}

#[async_trait]
impl Fixture for Firebird {
    fn unsupported(&self, ability: Ability) -> Option<String> {
        match ability {
            Ability::Engine => self.unavailable.clone(),
            Ability::Barrier
            | Ability::Processes
            | Ability::TerminateSession
            | Ability::DetectsDeadClient => None,
            Ability::ReleaseInScript | Ability::StealLock => {
                Some("only the end of the transaction releases the row lock".into())
            }
            ability => Some(format!("{ability:?} is unknown to this fixture")),
        }
    }

    async fn create_database(&self) -> Result<String, TestError> {
        let server = self.server()?;
        let name = format!("{}.fdb", unique_name("fb"));
        let file = server.folder().join(name);
        let script = format!(
            "CREATE DATABASE '{}' USER SYSDBA PASSWORD '{}' DEFAULT CHARACTER SET UTF8;\n\
             CREATE TABLE {BARRIERS} (name VARCHAR(100) NOT NULL);\nCOMMIT;\n",
            server.address(&file),
            server::PASSWORD
        );
        server.isql_without_database(&script)?;
        Ok(server.url(&file))
    }

    async fn drop_database(&self, url: &str) -> Result<(), TestError> {
        self.query(
            url,
            "DELETE FROM MON$ATTACHMENTS WHERE MON$ATTACHMENT_ID <> CURRENT_CONNECTION AND MON$SYSTEM_FLAG = 0;\nCOMMIT;",
        )
        .await?;
        // Sessions end with a delay, so the file is removed with the server's folder.
        Ok(())
    }

    async fn tables(&self, url: &str) -> Result<Vec<String>, TestError> {
        let names = self
            .query(
                url,
                "SELECT TRIM(RDB$RELATION_NAME) FROM RDB$RELATIONS WHERE RDB$SYSTEM_FLAG = 0;",
            )
            .await?;
        let names = names.into_iter().map(|name| name.to_lowercase());
        // The empty lock table remains, like the lock file of other engines.
        let internal = [BARRIERS, "lockage_lock"];
        Ok(names
            .filter(|name| !internal.contains(&name.as_str()))
            .collect())
    }

    async fn rows(&self, url: &str, table: &str) -> Result<Vec<i64>, TestError> {
        let rows = self
            .query(url, &format!("SELECT n FROM {table} ORDER BY n;"))
            .await?;
        Ok(rows
            .iter()
            .map(|row| row.parse())
            .collect::<Result<_, _>>()?)
    }

    async fn execute(&self, url: &str, statement: &str) -> Result<(), TestError> {
        self.query(url, &format!("{statement};\nCOMMIT;"))
            .await
            .map(drop)
    }

    /// Counts a number of rows that takes more than two minutes, once for each row of the barrier.
    fn barrier_sql(&self, barrier: &str) -> Result<String, TestError> {
        let many: String = ["a", "b", "c", "d", "e"]
            .map(|alias| format!(" LEFT JOIN RDB$TYPES {alias} ON 1 = 1"))
            .concat();
        Ok(format!(
            "SELECT COUNT(*) FROM {BARRIERS} g{many} WHERE g.name = '{barrier}'"
        ))
    }

    async fn close_barrier(&self, url: &str, barrier: &str) -> Result<Box<dyn Barrier>, TestError> {
        self.execute(url, &format!("INSERT INTO {BARRIERS} VALUES ('{barrier}')"))
            .await?;
        Ok(Box::new(BarrierRow {
            server: self.server()?.clone(),
            path: path(url)?,
            barrier: barrier.to_owned(),
        }))
    }

    async fn terminate_session(&self, url: &str, holder: &LockHolder) -> Result<(), TestError> {
        let session = holder
            .session
            .as_deref()
            .ok_or("the holder has no session")?;
        self.execute(
            url,
            &format!("DELETE FROM MON$ATTACHMENTS WHERE MON$ATTACHMENT_ID = {session}"),
        )
        .await
    }
}

/// The row of a closed barrier.
struct BarrierRow {
    server: Server,
    path: String,
    barrier: String,
}

#[async_trait]
impl Barrier for BarrierRow {
    async fn wait_reached(&self) -> Result<(), TestError> {
        let blocked_statements = format!(
            "SELECT COUNT(*) FROM MON$STATEMENTS WHERE MON$STATE = 1 AND MON$ATTACHMENT_ID <> CURRENT_CONNECTION \
             AND MON$SQL_TEXT CONTAINING 'g.name = ''{}''';",
            self.barrier
        );
        while run_query(&self.server, self.path.clone(), blocked_statements.clone()).await? == ["0"]
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    async fn open(self: Box<Self>) -> Result<(), TestError> {
        let open = format!(
            "DELETE FROM {BARRIERS} WHERE name = '{}';\nCOMMIT;",
            self.barrier
        );
        run_query(&self.server, self.path.clone(), open)
            .await
            .map(drop)
    }
}

/// Runs a script with the engine's own client, in a thread where it may block.
async fn run_query(
    server: &Server,
    path: String,
    script: String,
) -> Result<Vec<String>, TestError> {
    let server = server.clone();
    tokio::task::spawn_blocking(move || server.isql(&path, &script)).await?
}

/// Returns the path of the database file in a URL.
fn path(url: &str) -> Result<String, TestError> {
    let path = url.splitn(4, '/').nth(3).ok_or("the URL has no path")?;
    Ok(path.to_owned())
}

fn main() -> std::process::ExitCode {
    let fixture = Firebird {
        server: OnceLock::new(),
        unavailable: server::unavailable_reason(),
    };
    lockage_testkit::conformance(BACKEND, fixture)
}
