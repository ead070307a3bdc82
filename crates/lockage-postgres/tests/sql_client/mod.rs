//! Connections to the server that do not go through the backend.

use lockage_testkit::TestError;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

pub(crate) async fn connect(url: &str) -> Result<Client, TestError> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Returns the first column of a query.
pub(crate) async fn first_column(client: &Client, sql: &str) -> Result<Vec<String>, TestError> {
    let mut values = Vec::new();
    for message in client.simple_query(sql).await? {
        if let SimpleQueryMessage::Row(row) = message {
            values.push(row.get(0).unwrap_or_default().to_owned());
        }
    }
    Ok(values)
}
