//! Determines how a statement of a script commits together with its journal row.

use lockage_core::Result;
use lockage_sql::StatementMode;

use crate::connection::MysqlConnection;
use crate::dialect::literal;
use crate::schema;
use crate::statement::{Class, DdlEffect, classify, mentioned_names};

impl MysqlConnection {
    /// Returns how a statement runs: with its journal row, by itself with a snapshot of the schema, or as a session setting.
    pub(crate) async fn mode_of(&mut self, statement: &str) -> Result<StatementMode> {
        let (class, effective) = self.class_of(statement);
        let text = effective.as_deref().unwrap_or(statement);
        let effect = match class {
            Class::Session => return Ok(StatementMode::SessionSetting),
            Class::Ddl(effect) => {
                // The statement may create or change a table without transactions.
                self.nontransactional_tables = None;
                effect
            }
            _ if self.writes_nontransactional_table(text).await? => DdlEffect::Unknown,
            _ => return Ok(StatementMode::WithJournal),
        };
        let mut driver = self.driver.borrow().await?;
        let (server, database) = (&self.server, &self.initial_database);
        let effective = effective.as_deref();
        let snapshot = schema::snapshot(&mut driver, server, database, &effect, effective).await?;
        Ok(StatementMode::Autocommit {
            snapshot: Some(snapshot),
        })
    }

    /// Returns the class of a statement. For an `EXECUTE`, returns the class of the prepared statement, and its text.
    fn class_of(&self, statement: &str) -> (Class, Option<String>) {
        match classify(statement) {
            Class::Execute(name) => match self.session_state.prepared_text(&name) {
                Some(text) => (classify(text), Some(text.to_owned())),
                None => (Class::Data, None),
            },
            class => (class, None),
        }
    }

    /// Returns whether a statement mentions a table whose engine has no transactions.
    async fn writes_nontransactional_table(&mut self, statement: &str) -> Result<bool> {
        let tables = match self.nontransactional_tables.take() {
            Some(tables) => tables,
            None => self.read_nontransactional_tables().await?,
        };
        let tables = self.nontransactional_tables.insert(tables);
        Ok(!tables.is_empty() && mentioned_names(statement).any(|name| tables.contains(&name)))
    }

    async fn read_nontransactional_tables(&self) -> Result<Vec<String>> {
        let sql = format!(
            "SELECT LOWER(t.TABLE_NAME) FROM information_schema.TABLES t \
             JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE \
             WHERE t.TABLE_SCHEMA IN (DATABASE(), {}) AND e.TRANSACTIONS <> 'YES'",
            literal(&self.initial_database)
        );
        let sets = self.driver.borrow().await?.query_sets(&sql).await?;
        let rows = sets.into_iter().flatten();
        Ok(rows.filter_map(|row| row.into_iter().next()?).collect())
    }
}
