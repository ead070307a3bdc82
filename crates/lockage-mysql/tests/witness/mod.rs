//! Ways to a server that do not go through the backend.

use lockage_testkit::Failure;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

/// The URL of another database of the same server.
pub(crate) fn with_database(url: &str, name: &str) -> String {
    let (server, _) = url.rsplit_once('/').unwrap_or((url, ""));
    format!("{server}/{name}")
}

pub(crate) async fn client(url: &str) -> Result<Conn, Failure> {
    // The driver knows only one name for the scheme.
    let url = url.replacen("mariadb:", "mysql:", 1);
    Ok(Conn::new(Opts::from_url(&url)?).await?)
}

pub(crate) async fn execute(url: &str, statement: &str) -> Result<(), Failure> {
    let mut client = client(url).await?;
    client.query_drop(statement).await?;
    Ok(client.disconnect().await?)
}

/// The first column of what a query gives.
pub(crate) async fn texts(url: &str, query: &str) -> Result<Vec<String>, Failure> {
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
