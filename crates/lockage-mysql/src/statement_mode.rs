//! Determines how a statement of a script commits together with its journal row.

use std::collections::BTreeSet;

use lockage_core::Result;
use lockage_sql::StatementMode;

use crate::connection::MysqlConnection;
use crate::schema;
use crate::schema_code::SchemaCode;
use crate::statement::{Class, DdlEffect, classify, first_word, immediate_text};

impl MysqlConnection {
    /// Returns how a statement runs: with its journal row, by itself with a snapshot of the schema, or as a session setting.
    pub(crate) async fn mode_of(&mut self, statement: &str) -> Result<StatementMode> {
        let (class, effective) = self.class_of(statement);
        let text = effective.as_deref().unwrap_or(statement);
        let is_dynamic = effective.is_none() && first_word(statement) == "EXECUTE";
        let effect = match class {
            Class::Session => {
                // It may select another database.
                self.schema_code = None;
                return Ok(StatementMode::SessionSetting);
            }
            Class::Ddl(effect) => {
                // The statement may create or change a table without transactions, a trigger or a routine.
                self.schema_code = None;
                effect
            }
            Class::Data | Class::Execute(_) => {
                let text = (!is_dynamic).then_some(text);
                if !self.writes_nontransactional_table(text).await? {
                    return Ok(StatementMode::WithJournal);
                }
                DdlEffect::Unknown
            }
        };
        let mut driver = self.driver.borrow().await?;
        let (server, database) = (&self.server, &self.initial_database);
        let effective = effective.as_deref();
        let snapshot = schema::snapshot(&mut driver, server, database, &effect, effective).await?;
        Ok(StatementMode::Autocommit {
            snapshot: Some(snapshot),
        })
    }

    /// Returns the class of a statement. For an `EXECUTE`, returns the class of the statement that it runs, and the text of that
    /// statement if it is known.
    fn class_of(&self, statement: &str) -> (Class, Option<String>) {
        if let Some(text) = immediate_text(statement) {
            return (classify(&text), Some(text));
        }
        match classify(statement) {
            Class::Execute(name) => match self.session_state.prepared_text(&name) {
                Some(text) => (classify(text), Some(text.to_owned())),
                None => (Class::Data, None),
            },
            class => (class, None),
        }
    }

    /// Returns whether a statement may write a table whose engine has no transactions: directly, or through a trigger, a view or a
    /// routine. `None`: the text of the statement is unknown.
    async fn writes_nontransactional_table(&mut self, statement: Option<&str>) -> Result<bool> {
        let mut schemas = BTreeSet::from([self.initial_database.clone()]);
        let reach = loop {
            let code = match self.schema_code.take() {
                Some(code) => code,
                None => SchemaCode::read(&mut *self.driver.borrow().await?, &schemas).await?,
            };
            match code.reach(statement) {
                Ok(reach) => {
                    self.schema_code = Some(code);
                    break reach;
                }
                Err(more) => schemas = more,
            }
        };
        // A routine can set variables and create temporary tables.
        self.is_session_changed |= reach.routines;
        Ok(reach.nontransactional)
    }
}
