//! Ways to a server that do not go through the backend.

use lockage_sqlserver::lockage_core::DatabaseUrl;
use lockage_testkit::TestError;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

pub(crate) type Witness = Client<Compat<TcpStream>>;

/// The URL of the environment.
#[expect(
    clippy::disallowed_methods,
    reason = "a test program reads its environment"
)]
pub(crate) fn server() -> Result<String, String> {
    std::env::var("LOCKAGE_TEST_SQLSERVER_URL")
        .ok()
        .filter(|url| !url.is_empty())
        .ok_or_else(|| {
            "no SQL Server: set LOCKAGE_TEST_SQLSERVER_URL to the URL of a sysadmin, as \
             sqlserver://sa:password@host:1433/master?trust_server_certificate=true"
                .into()
        })
}

/// The URL of another database of the same server.
pub(crate) fn with_database(url: &str, name: &str) -> String {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let (server, _) = place.rsplit_once('/').unwrap_or((place, ""));
    format!("{server}/{name}?{query}")
}

pub(crate) async fn client(url: &str) -> Result<Witness, TestError> {
    let parsed = DatabaseUrl::parse(url)?;
    let (place, _) = parsed
        .secret_after_scheme()
        .split_once('?')
        .unwrap_or((parsed.secret_after_scheme(), ""));
    let (user, place) = place
        .trim_start_matches('/')
        .rsplit_once('@')
        .ok_or("a test's URL has a user")?;
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let (host, database) = place.split_once('/').unwrap_or((place, ""));
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
    let mut client = client(url).await?;
    client.simple_query(statement).await?.into_results().await?;
    Ok(client.close().await?)
}

/// The first column of what a query gives, which is text.
pub(crate) async fn texts(url: &str, query: &str) -> Result<Vec<String>, TestError> {
    let mut client = client(url).await?;
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
