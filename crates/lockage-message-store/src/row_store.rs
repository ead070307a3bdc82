//! Access to rows on any engine. Changes of the schema use a runner instead, which holds the lock.

use async_trait::async_trait;
use lockage_core::{Error, Result};
use lockage_sql::{Command, CommandError, Connection, Row};

/// A connection that reads and writes rows.
#[async_trait]
pub(crate) trait RowStore: Send {
    /// Runs a query.
    async fn read(&mut self, query: &str) -> Result<Vec<Row>, CommandError>;

    /// Runs statements in one transaction.
    ///
    /// # Errors
    /// After an error, drop the connection: that rolls the transaction back.
    async fn write(&mut self, statements: &[String]) -> Result<()>;

    /// Closes the session.
    async fn close(self: Box<Self>) -> Result<()>;
}

#[async_trait]
impl<C: Connection> RowStore for C {
    async fn read(&mut self, query: &str) -> Result<Vec<Row>, CommandError> {
        self.query(query).await
    }

    async fn write(&mut self, statements: &[String]) -> Result<()> {
        let dialect = self.dialect();
        let commands: Vec<Command<'_>> = std::iter::once(dialect.begin)
            .chain(statements.iter().map(String::as_str))
            .chain([dialect.commit])
            .map(|sql| Command::Internal(sql.into()))
            .collect();
        self.execute(&commands, &mut |_| {})
            .await
            .map_err(Error::from)
    }

    async fn close(self: Box<Self>) -> Result<()> {
        Connection::close(*self).await
    }
}
