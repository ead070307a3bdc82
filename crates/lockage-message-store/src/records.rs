//! Rows, on whatever engine. What changes the schema does not come this way: it goes through a runner, which holds the lock.

use async_trait::async_trait;
use lockage_core::{Error, Result};
use lockage_sql::{Connection, CommandError, Command, Row};

/// A connection, seen as far as rows are concerned.
#[async_trait]
pub(crate) trait Records: Send {
    /// Runs a query.
    async fn read(&mut self, query: &str) -> Result<Vec<Row>, CommandError>;

    /// Runs statements in one transaction. After an error the connection is to be dropped, which takes the transaction back.
    async fn write(&mut self, statements: &[String]) -> Result<()>;

    /// Ends the session.
    async fn end(self: Box<Self>) -> Result<()>;
}

#[async_trait]
impl<C: Connection> Records for C {
    async fn read(&mut self, query: &str) -> Result<Vec<Row>, CommandError> {
        self.query(query).await
    }

    async fn write(&mut self, statements: &[String]) -> Result<()> {
        let dialect = self.dialect();
        let pieces: Vec<Command<'_>> = std::iter::once(dialect.begin)
            .chain(statements.iter().map(String::as_str))
            .chain([dialect.commit])
            .map(|sql| Command::Internal(sql.into()))
            .collect();
        self.run(&pieces, &mut |_| {}).await.map_err(Error::from)
    }

    async fn end(self: Box<Self>) -> Result<()> {
        Connection::close(*self).await
    }
}
