//! The state that a script leaves in its session, and that a later run needs to resume the script: user variables, prepared
//! statements, and the value of `LAST_INSERT_ID()`.

use std::collections::{BTreeMap, BTreeSet};

use lockage_core::{Migration, Result};
use lockage_sql::script::Splitter;

use crate::dialect::{DIALECT, backticked, literal};
use crate::driver::DriverConnection;
use crate::hex::hex;
use crate::statement::{
    Prepared, changes_session, mentions_last_insert_id, prepared, user_variables,
};
use crate::value_kind::ValueKind;

/// A user variable of Lockage, from which prepared statements are restored.
const TEXT_VARIABLE: &str = "@lockage_text";

/// The session state of a script.
#[derive(Debug, Default)]
pub(crate) struct ScriptSessionState {
    /// The user variables that the script mentions anywhere.
    variables: BTreeSet<String>,
    /// Whether the script prepares statements anywhere.
    prepares: bool,
    /// Whether the script may read `LAST_INSERT_ID()`.
    has_last_insert_id: bool,
    /// Whether a statement may leave something in the session that the settings before a migration do not restore.
    changes_session: bool,
    /// The statements that are prepared now, with their texts.
    prepared: BTreeMap<String, String>,
}

impl ScriptSessionState {
    /// Reads a whole script, to find out which state it can have.
    pub(crate) fn scan(migration: &Migration) -> Self {
        let mut state = Self::default();
        // A script that cannot be read is reported when it runs.
        let Ok(reader) = migration.open() else {
            return state;
        };
        for statement in Splitter::new(reader, DIALECT.syntax).map_while(|statement| statement.ok())
        {
            state.variables.extend(user_variables(&statement.text));
            state.prepares |= prepared(&statement.text).is_some();
            state.has_last_insert_id |= mentions_last_insert_id(&statement.text);
            state.changes_session |= changes_session(&statement.text);
        }
        state
    }

    /// Returns whether the script can have no state.
    pub(crate) fn is_empty(&self) -> bool {
        !self.prepares && !self.has_last_insert_id && self.variables.is_empty()
    }

    /// Returns whether the script may read `LAST_INSERT_ID()`.
    pub(crate) fn has_last_insert_id(&self) -> bool {
        self.has_last_insert_id
    }

    /// Returns whether the script may leave something in its session that the settings before a migration do not restore.
    pub(crate) fn changes_session(&self) -> bool {
        self.changes_session
    }

    /// Returns the text of a prepared statement.
    pub(crate) fn prepared_text(&self, name: &str) -> Option<&str> {
        self.prepared.get(&name.to_lowercase()).map(String::as_str)
    }

    /// Records which statement was prepared or deallocated by a statement that has just run.
    pub(crate) async fn record(
        &mut self,
        driver: &mut DriverConnection,
        statement: &str,
    ) -> Result<()> {
        match prepared(statement) {
            Some(Prepared::Text(name, text)) => {
                self.prepared.insert(name.to_lowercase(), text);
            }
            Some(Prepared::Variable(name, variable)) => {
                let text = variable_text(driver, &format!("@{}", backticked(&variable))).await?;
                self.prepared.insert(name.to_lowercase(), text);
            }
            Some(Prepared::Deallocated(name)) => {
                self.prepared.remove(&name.to_lowercase());
            }
            None => {}
        }
        Ok(())
    }

    /// Returns the statements that restore this state in another session; `None` if it is empty.
    pub(crate) async fn save(&self, driver: &mut DriverConnection) -> Result<Option<String>> {
        let mut statements = Vec::new();
        if !self.variables.is_empty() {
            let names: Vec<String> = self
                .variables
                .iter()
                .map(|name| format!("@{}", backticked(name)))
                .collect();
            let row = driver
                .raw_row(&format!("SELECT {}", names.join(", ")))
                .await?;
            let assignments: Vec<String> = names
                .iter()
                .zip(row.unwrap_or_default())
                .filter_map(|(name, (kind, value))| {
                    Some(format!("{name} = {}", sql_literal(kind, &value?)))
                })
                .collect();
            if !assignments.is_empty() {
                statements.push(format!("SET {}", assignments.join(", ")));
            }
        }
        if self.has_last_insert_id {
            let row = driver.raw_row("SELECT LAST_INSERT_ID()").await?;
            if let Some((kind, Some(value))) = row.and_then(|row| row.into_iter().next()) {
                let value = sql_literal(kind, &value);
                statements.push(format!("SET SESSION last_insert_id = {value}"));
            }
        }
        for (name, text) in &self.prepared {
            statements.push(format!("SET {TEXT_VARIABLE} = {}", literal(text)));
            statements.push(format!("PREPARE {} FROM {TEXT_VARIABLE}", backticked(name)));
        }
        Ok((!statements.is_empty()).then(|| statements.join(";\n")))
    }

    /// Runs the statements of [`save`](Self::save).
    pub(crate) async fn restore(
        &mut self,
        driver: &mut DriverConnection,
        state: &str,
    ) -> Result<()> {
        let mut text = String::new();
        for statement in
            Splitter::new(state.as_bytes(), DIALECT.syntax).map_while(|statement| statement.ok())
        {
            driver.execute(&statement.text).await?;
            if statement.text.starts_with(&format!("SET {TEXT_VARIABLE}")) {
                text = variable_text(driver, TEXT_VARIABLE).await?;
            } else if let Some(Prepared::Variable(name, _)) = prepared(&statement.text) {
                self.prepared
                    .insert(name.to_lowercase(), std::mem::take(&mut text));
            }
        }
        Ok(())
    }
}

/// Reads a user variable as text. `variable` is its name as SQL.
async fn variable_text(driver: &mut DriverConnection, variable: &str) -> Result<String> {
    let row = driver.raw_row(&format!("SELECT {variable}")).await?;
    let bytes = row
        .and_then(|row| row.into_iter().next()?.1)
        .unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns a value as SQL of the same type.
fn sql_literal(kind: ValueKind, value: &[u8]) -> String {
    match kind {
        ValueKind::Number => String::from_utf8_lossy(value).into_owned(),
        ValueKind::Text => match std::str::from_utf8(value) {
            Ok(text) => literal(text),
            Err(_) => hex("0x", value),
        },
        // `0x` without digits is not valid.
        ValueKind::Bytes if value.is_empty() => "''".into(),
        ValueKind::Bytes => hex("0x", value),
    }
}
