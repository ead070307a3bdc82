//! Access to a server without the backend under test.

use lockage_testkit::TestError;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

/// Returns the URL of another database of the same server.
pub(crate) fn with_database(url: &str, name: &str) -> String {
    let (server, _) = url.rsplit_once('/').unwrap_or((url, ""));
    format!("{server}/{name}")
}

/// Opens a connection.
pub(crate) async fn client(url: &str) -> Result<Conn, TestError> {
    // The driver knows only this scheme.
    let url = url.replacen("mariadb:", "mysql:", 1);
    Ok(Conn::new(Opts::from_url(&url)?).await?)
}

/// Runs a statement in a connection of its own.
pub(crate) async fn execute(url: &str, statement: &str) -> Result<(), TestError> {
    let mut client = client(url).await?;
    client.query_drop(statement).await?;
    Ok(client.disconnect().await?)
}

/// Returns the first column of a query.
pub(crate) async fn texts(url: &str, query: &str) -> Result<Vec<String>, TestError> {
    let mut client = client(url).await?;
    let rows: Vec<mysql_async::Row> = client.query(query).await?;
    client.disconnect().await?;
    Ok(rows
        .into_iter()
        .map(|mut row| {
            row.take::<Option<String>, _>(0)
                .flatten()
                .unwrap_or_default()
        })
        .collect())
}
