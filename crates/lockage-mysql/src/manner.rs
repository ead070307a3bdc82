//! How a statement of a script is run: in one transaction with its journal row, alone with a look at the schema before, or for the session.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use lockage_core::Result;
use lockage_sql::StatementMode;

use crate::connection::{MysqlConnection, reach};
use crate::dialect::literal;
use crate::error;
use crate::keepsake::Luggage;
use crate::schema;
use crate::statement::{Class, Deed, classify, mentions};

/// What is known of the script in hand.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) statement_timeout: Option<Duration>,
    pub(crate) luggage: Luggage,
}

impl MysqlConnection {
    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn manner_of(&mut self, statement: &str) -> Result<StatementMode> {
        let (class, effective) = self.class_of(statement);
        let text = effective.as_deref().unwrap_or(statement);
        let deed = match class {
            Class::Session => return Ok(StatementMode::SessionSetting),
            Class::Ddl(deed) => {
                // It may make such a table, or change one.
                self.without_transactions = None;
                deed
            }
            _ if self.writes_without_transaction(text).await? => Deed::Opaque,
            _ => return Ok(StatementMode::WithJournal),
        };
        let mut wire = reach(&self.wire).await?;
        let effective = effective.as_deref();
        let before = schema::before(&mut wire, &self.facts, &self.home, &deed, effective).await?;
        Ok(StatementMode::Autocommit {
            before: Some(before),
        })
    }

    /// The class of a statement, that of the prepared one for an `EXECUTE`, and the text that really runs where it is another.
    fn class_of(&self, statement: &str) -> (Class, Option<String>) {
        match classify(statement) {
            Class::Execute(name) => match self.script().luggage.text_of(&name) {
                Some(text) => (classify(text), Some(text.to_owned())),
                None => (Class::Data, None),
            },
            class => (class, None),
        }
    }

    /// Whether a statement mentions a table whose engine has no transactions.
    async fn writes_without_transaction(&mut self, statement: &str) -> Result<bool> {
        if self.without_transactions.is_none() {
            let sql = format!(
                "SELECT LOWER(t.TABLE_NAME) FROM information_schema.TABLES t \
                 JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE \
                 WHERE t.TABLE_SCHEMA IN (DATABASE(), {}) AND e.TRANSACTIONS <> 'YES'",
                literal(&self.home)
            );
            let sets = reach(&self.wire).await?.ask(&sql).await;
            let rows = sets
                .map_err(|broken| error::plain(broken.error))?
                .into_iter()
                .flatten();
            let names = rows.filter_map(|row| row.into_iter().next()?).collect();
            self.without_transactions = Some(names);
        }
        let tables = self.without_transactions.as_deref().unwrap_or_default();
        Ok(!tables.is_empty() && mentions(statement).any(|name| tables.contains(&name)))
    }

    /// What a later session must be told to go on behind a statement that has just run.
    pub(crate) async fn pack(&mut self, statement: &str) -> Result<Option<String>> {
        let mut luggage = std::mem::take(&mut self.script().luggage);
        let mut wire = reach(&self.wire).await?;
        luggage.note(&mut wire, statement).await?;
        let packed = luggage.pack(&mut wire).await;
        drop(wire);
        self.script().luggage = luggage;
        packed
    }

    pub(crate) async fn unpack(&mut self, keepsake: &str) -> Result<()> {
        let mut luggage = std::mem::take(&mut self.script().luggage);
        let unpacked = luggage
            .unpack(&mut *reach(&self.wire).await?, keepsake)
            .await;
        self.script().luggage = luggage;
        unpacked
    }
}
