//! The features of the server at `LOCKAGE_TEST_SQLSERVER_URL`, which can be a compatible product. They are read from the server.

use lockage_sql::Connection;
use lockage_testkit::{TestError, unique_name};

use crate::database::{connect, execute, with_database};
use crate::target_engine::Engine;

/// The features of a server.
#[derive(Debug)]
pub(crate) struct ServerFeatures {
    /// Each database has its own application locks.
    pub(crate) locks_are_per_database: bool,
    /// The server lists the holders of locks.
    pub(crate) lists_locks: bool,
    /// The catalog lists indexes under their own names, with their filters.
    pub(crate) lists_indexes: bool,
}

impl ServerFeatures {
    /// Reads the features. Blocks.
    pub(crate) fn read(url: &str) -> Result<Self, String> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?
            .block_on(Self::probe(url))
            .map_err(|failure| format!("the server of LOCKAGE_TEST_SQLSERVER_URL: {failure}"))
    }

    async fn probe(url: &str) -> Result<Self, TestError> {
        let mut session = connect(Engine::SqlServer, url).await?;
        let mut other_session = connect(Engine::SqlServer, &with_database(url, "tempdb")).await?;
        let resource = unique_name("probe");
        if !acquires(&mut *session, &resource).await? {
            return Err("the server does not grant an application lock".into());
        }
        let listed = session
            .query("SELECT request_session_id FROM sys.dm_tran_locks")
            .await;
        let name = unique_name("probe");
        execute(Engine::SqlServer, url, &format!("CREATE DATABASE {name}")).await?;
        let indexes_listed = lists_indexes(&with_database(url, &name)).await;
        crate::database::drop_database(Engine::SqlServer, url, &name).await?;
        Ok(Self {
            locks_are_per_database: acquires(&mut *other_session, &resource).await?,
            lists_locks: listed.is_ok(),
            lists_indexes: indexes_listed?,
        })
    }
}

/// Tries to acquire an application lock.
pub(crate) async fn acquires(
    session: &mut dyn Connection,
    resource: &str,
) -> Result<bool, TestError> {
    let acquire = format!(
        "DECLARE @r INT; EXEC @r = sp_getapplock @Resource = N'{resource}', @LockMode = N'Exclusive', \
         @LockOwner = N'Session', @LockTimeout = 10; SELECT @r"
    );
    let rows = session.query(&acquire).await;
    Ok(rows.map_err(|failure| failure.error)? == [[Some("0".to_owned())]])
}

async fn lists_indexes(url: &str) -> Result<bool, TestError> {
    let mut session = connect(Engine::SqlServer, url).await?;
    for statement in [
        "CREATE TABLE probe (n INT)",
        "CREATE INDEX probe_of_n ON probe (n) WHERE n <> 0",
    ] {
        let command = [lockage_sql::Command::Internal(statement.into())];
        let created = session.execute(&command, &mut |_| {}).await;
        created.map_err(|failure| failure.error)?;
    }
    let rows = session
        .query("SELECT CONVERT(NVARCHAR(128), name) FROM sys.indexes WHERE name = 'probe_of_n' AND has_filter = 1")
        .await;
    Ok(!rows.map_err(|failure| failure.error)?.is_empty())
}
