//! What stands behind LOCKAGE_TEST_SQLSERVER_URL, which may be a peer of SQL Server: found out by asking it.

use lockage_sql::Connection;
use lockage_testkit::{Failure, unique_name};

use crate::database::{connect, execute, with_database};
use crate::site::Engine;

/// What it can do.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Each database has application locks of its own.
    pub(crate) locks_are_a_databases: bool,
    /// It lists who holds them.
    pub(crate) lists_locks: bool,
    /// It has indexes under the names that they were given, and tells which rows they are of.
    pub(crate) keeps_indexes: bool,
}

impl Peer {
    /// Asks it. Blocks.
    pub(crate) fn ask(url: &str) -> Result<Self, String> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?
            .block_on(Self::probe(url))
            .map_err(|failure| format!("the server of LOCKAGE_TEST_SQLSERVER_URL: {failure}"))
    }

    async fn probe(url: &str) -> Result<Self, Failure> {
        let mut here = connect(Engine::SqlServer, url).await?;
        let mut there = connect(Engine::SqlServer, &with_database(url, "tempdb")).await?;
        let resource = unique_name("probe");
        if !takes(&mut *here, &resource).await? {
            return Err("it gives no application lock".into());
        }
        let listed = here
            .query("SELECT request_session_id FROM sys.dm_tran_locks")
            .await;
        let name = unique_name("probe");
        execute(Engine::SqlServer, url, &format!("CREATE DATABASE {name}")).await?;
        let indexes = keeps_indexes(&with_database(url, &name)).await;
        crate::database::drop_database(Engine::SqlServer, url, &name).await?;
        Ok(Self {
            locks_are_a_databases: takes(&mut *there, &resource).await?,
            lists_locks: listed.is_ok(),
            keeps_indexes: indexes?,
        })
    }
}

/// Whether a session gets a lock.
pub(crate) async fn takes(session: &mut dyn Connection, resource: &str) -> Result<bool, Failure> {
    let take = format!(
        "DECLARE @r INT; EXEC @r = sp_getapplock @Resource = N'{resource}', @LockMode = N'Exclusive', \
         @LockOwner = N'Session', @LockTimeout = 10; SELECT @r"
    );
    let rows = session.query(&take).await;
    Ok(rows.map_err(|failure| failure.error)? == [[Some("0".to_owned())]])
}

async fn keeps_indexes(url: &str) -> Result<bool, Failure> {
    let mut session = connect(Engine::SqlServer, url).await?;
    for statement in [
        "CREATE TABLE probe (n INT)",
        "CREATE INDEX probe_of_n ON probe (n) WHERE n <> 0",
    ] {
        let piece = [lockage_sql::Command::Internal(statement.into())];
        let made = session.run(&piece, &mut |_| {}).await;
        made.map_err(|failure| failure.error)?;
    }
    let rows = session
        .query("SELECT CONVERT(NVARCHAR(128), name) FROM sys.indexes WHERE name = 'probe_of_n' AND has_filter = 1")
        .await;
    Ok(!rows.map_err(|failure| failure.error)?.is_empty())
}
