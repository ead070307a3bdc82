//! Connects to a server with the driver alone, without the backend under test.

use std::time::{Duration, Instant};

use lockage_sqlserver::lockage_core::DatabaseUrl;
use lockage_testkit::TestError;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

pub(crate) type DirectClient = Client<Compat<TcpStream>>;

/// Returns the server's URL from the environment, or the reason why the tests are skipped.
#[expect(
    clippy::disallowed_methods,
    reason = "a test program reads its environment"
)]
pub(crate) fn server_url() -> Result<String, String> {
    std::env::var("LOCKAGE_TEST_SQLSERVER_URL")
        .ok()
        .filter(|url| !url.is_empty())
        .ok_or_else(|| {
            "no SQL Server: set LOCKAGE_TEST_SQLSERVER_URL to the URL of a sysadmin, as \
             sqlserver://sa:password@host:1433/master?trust_server_certificate=true"
                .into()
        })
}

/// Returns the URL of another database of the same server.
pub(crate) fn with_database(url: &str, name: &str) -> String {
    let (location, query) = url.split_once('?').unwrap_or((url, ""));
    let (server, _) = location.rsplit_once('/').unwrap_or((location, ""));
    format!("{server}/{name}?{query}")
}

pub(crate) async fn connect(url: &str) -> Result<DirectClient, TestError> {
    let parsed = DatabaseUrl::parse(url)?;
    let rest = parsed.secret_after_scheme();
    let (location, _) = rest.split_once('?').unwrap_or((rest, ""));
    let (user, location) = location
        .trim_start_matches('/')
        .rsplit_once('@')
        .ok_or("the URL of a test needs a user")?;
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let (host, database) = location.split_once('/').unwrap_or((location, ""));
    let mut config = Config::new();
    config.authentication(AuthMethod::sql_server(user, password));
    config.database(database);
    config.encryption(EncryptionLevel::NotSupported);
    config.command_timeout(None);
    let host = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:1433")
    };
    let tcp = TcpStream::connect(host).await?;
    Ok(Client::connect(config, tcp.compat_write()).await?)
}

pub(crate) async fn execute(url: &str, statement: &str) -> Result<(), TestError> {
    let mut client = connect(url).await?;
    client.simple_query(statement).await?.into_results().await?;
    Ok(client.close().await?)
}

/// Returns the first column of a query's rows, which must be text.
pub(crate) async fn query_texts(url: &str, query: &str) -> Result<Vec<String>, TestError> {
    let mut client = connect(url).await?;
    let rows = client
        .simple_query(query)
        .await?
        .into_first_result()
        .await?;
    client.close().await?;
    let mut texts = Vec::new();
    for row in rows {
        texts.push(row.try_get::<&str, _>(0)?.unwrap_or_default().to_owned());
    }
    Ok(texts)
}

/// Drops a database. Sessions that are still in it are disconnected, or waited for where the server cannot disconnect them.
pub(crate) async fn drop_database(server: &str, name: &str) -> Result<(), TestError> {
    let deadline = Instant::now() + Duration::from_secs(120);
    let disconnect = format!("ALTER DATABASE {name} SET SINGLE_USER WITH ROLLBACK IMMEDIATE");
    let _ = execute(server, &disconnect).await;
    loop {
        match execute(server, &format!("DROP DATABASE {name}")).await {
            // The database is still in use.
            Err(error) if error.to_string().contains("use") && Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            dropped => return dropped,
        }
    }
}
