//! The conformance suite on a Firebird server of its own, started from the machine's binaries.

mod server;

use std::sync::OnceLock;
use std::time::Duration;

use lockage_core::LockHolder;
use lockage_firebird::BACKEND;
use lockage_testkit::{Failure, Fixture, Gate, Need, async_trait, unique_name};

use server::Server;

/// The table of the gates, which stands in each database.
const GATES: &str = "lk_gates";

struct Firebird {
    server: OnceLock<Result<Server, String>>,
    lacks: Option<String>,
}

impl Firebird {
    fn server(&self) -> Result<&Server, Failure> {
        let server = self
            .server
            .get_or_init(|| Server::start().map_err(|error| error.to_string()));
        server.as_ref().map_err(|error| error.clone().into())
    }

    async fn ask(&self, url: &str, sql: &str) -> Result<Vec<String>, Failure> {
        ask(self.server()?, path(url)?, sql.to_owned()).await
    }
}

#[async_trait]
impl Fixture for Firebird {
    fn lacks(&self, need: Need) -> Option<String> {
        match need {
            Need::Engine => self.lacks.clone(),
            Need::Gate | Need::Processes | Need::EndSession | Need::NoticesDeadClient => None,
            Need::GiveUpLock | Need::TakeAwayLock => {
                Some("only the end of its transaction frees the row that is the lock".into())
            }
            need => Some(format!("{need:?} is not known to this fixture")),
        }
    }

    async fn create_database(&self) -> Result<String, Failure> {
        let server = self.server()?;
        let name = format!("{}.fdb", unique_name("fb"));
        let file = server.folder().join(name);
        let make = format!(
            "CREATE DATABASE '{}' USER SYSDBA PASSWORD '{}' DEFAULT CHARACTER SET UTF8;\n\
             CREATE TABLE {GATES} (name VARCHAR(100) NOT NULL);\nCOMMIT;\n",
            server.address(&file),
            server::PASSWORD
        );
        server.isql_alone(&make)?;
        Ok(server.url(&file))
    }

    async fn drop_database(&self, url: &str) -> Result<(), Failure> {
        self.ask(
            url,
            "DELETE FROM MON$ATTACHMENTS WHERE MON$ATTACHMENT_ID <> CURRENT_CONNECTION AND MON$SYSTEM_FLAG = 0;\nCOMMIT;",
        )
        .await?;
        // Sessions take a moment to end, and the file is in the server's folder anyway, which goes as a whole.
        Ok(())
    }

    async fn tables(&self, url: &str) -> Result<Vec<String>, Failure> {
        let names = self
            .ask(
                url,
                "SELECT TRIM(RDB$RELATION_NAME) FROM RDB$RELATIONS WHERE RDB$SYSTEM_FLAG = 0;",
            )
            .await?;
        let names = names.into_iter().map(|name| name.to_lowercase());
        // The empty table of the locks stays, as a lock's file does elsewhere.
        let ours = [GATES, "lockage_lock"];
        Ok(names
            .filter(|name| !ours.contains(&name.as_str()))
            .collect())
    }

    async fn rows(&self, url: &str, table: &str) -> Result<Vec<i64>, Failure> {
        let rows = self
            .ask(url, &format!("SELECT n FROM {table} ORDER BY n;"))
            .await?;
        Ok(rows
            .iter()
            .map(|row| row.parse())
            .collect::<Result<_, _>>()?)
    }

    async fn execute(&self, url: &str, statement: &str) -> Result<(), Failure> {
        self.ask(url, &format!("{statement};\nCOMMIT;"))
            .await
            .map(drop)
    }

    /// Counts what no server counts in two minutes, once for each row of the gate.
    fn gate(&self, gate: &str) -> Result<String, Failure> {
        let many: String = ["a", "b", "c", "d", "e"]
            .map(|alias| format!(" LEFT JOIN RDB$TYPES {alias} ON 1 = 1"))
            .concat();
        Ok(format!(
            "SELECT COUNT(*) FROM {GATES} g{many} WHERE g.name = '{gate}'"
        ))
    }

    async fn close_gate(&self, url: &str, gate: &str) -> Result<Box<dyn Gate>, Failure> {
        self.execute(url, &format!("INSERT INTO {GATES} VALUES ('{gate}')"))
            .await?;
        Ok(Box::new(Row {
            server: self.server()?.clone(),
            path: path(url)?,
            gate: gate.to_owned(),
        }))
    }

    async fn end_session(&self, url: &str, holder: &LockHolder) -> Result<(), Failure> {
        let session = holder.session.as_deref().ok_or("no session is told")?;
        self.execute(
            url,
            &format!("DELETE FROM MON$ATTACHMENTS WHERE MON$ATTACHMENT_ID = {session}"),
        )
        .await
    }
}

struct Row {
    server: Server,
    path: String,
    gate: String,
}

#[async_trait]
impl Gate for Row {
    async fn reached(&self) -> Result<(), Failure> {
        let look = format!(
            "SELECT COUNT(*) FROM MON$STATEMENTS WHERE MON$STATE = 1 AND MON$ATTACHMENT_ID <> CURRENT_CONNECTION \
             AND MON$SQL_TEXT CONTAINING 'g.name = ''{}''';",
            self.gate
        );
        while ask(&self.server, self.path.clone(), look.clone()).await? == ["0"] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    async fn open(self: Box<Self>) -> Result<(), Failure> {
        let open = format!("DELETE FROM {GATES} WHERE name = '{}';\nCOMMIT;", self.gate);
        ask(&self.server, self.path.clone(), open).await.map(drop)
    }
}

/// Runs a script of the engine's own client, which blocks, beside the case's runtime.
async fn ask(server: &Server, path: String, script: String) -> Result<Vec<String>, Failure> {
    let server = server.clone();
    tokio::task::spawn_blocking(move || server.isql(&path, &script)).await?
}

/// The path behind the server's address, as its own client writes it.
fn path(url: &str) -> Result<String, Failure> {
    let path = url.splitn(4, '/').nth(3).ok_or("a URL without a path")?;
    Ok(path.to_owned())
}

fn main() -> std::process::ExitCode {
    let fixture = Firebird {
        server: OnceLock::new(),
        lacks: server::missing(),
    };
    lockage_testkit::conformance(BACKEND, fixture)
}
