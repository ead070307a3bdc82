//! What a script leaves in its session and needs again when a later run goes on in its middle: user variables and prepared statements.

use std::collections::{BTreeMap, BTreeSet};

use lockage_core::{Migration, Result};
use lockage_sql::script::Splitter;

use crate::dialect::{DIALECT, backticked, literal};
use crate::error;
use crate::statement::{Prepared, prepared, user_variables};
use crate::wire::{ValueKind, Wire};

/// A variable of ours, through which a text becomes a prepared statement.
const TEXT: &str = "@lockage_text";

/// What is known of the session of a script.
#[derive(Debug, Default)]
pub(crate) struct Luggage {
    /// The user variables that the script mentions anywhere.
    variables: BTreeSet<String>,
    /// Whether it prepares statements anywhere.
    prepares: bool,
    /// The statements that are prepared, with their texts.
    prepared: BTreeMap<String, String>,
}

impl Luggage {
    /// Reads a whole script for what it will carry.
    pub(crate) fn of(migration: &Migration) -> Self {
        let mut luggage = Self::default();
        // What cannot be read is told when the script runs.
        let Ok(reader) = migration.open() else {
            return luggage;
        };
        for statement in Splitter::new(reader, DIALECT.syntax).map_while(|statement| statement.ok())
        {
            luggage.variables.extend(user_variables(&statement.text));
            luggage.prepares |= prepared(&statement.text).is_some();
        }
        luggage
    }

    /// Whether there can be anything to keep.
    pub(crate) fn is_any(&self) -> bool {
        self.prepares || !self.variables.is_empty()
    }

    /// The text of a prepared statement.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.prepared.get(&name.to_lowercase()).map(String::as_str)
    }

    /// Notes what a statement that has just run did to the prepared ones.
    pub(crate) async fn note(&mut self, wire: &mut Wire, statement: &str) -> Result<()> {
        match prepared(statement) {
            Some(Prepared::Text(name, text)) => {
                self.prepared.insert(name.to_lowercase(), text);
            }
            Some(Prepared::Variable(name, variable)) => {
                let row = wire
                    .raw_row(&format!("SELECT @{}", backticked(&variable)))
                    .await
                    .map_err(error::plain)?;
                let text = row
                    .and_then(|row| row.into_iter().next()?.1)
                    .unwrap_or_default();
                self.prepared.insert(
                    name.to_lowercase(),
                    String::from_utf8_lossy(&text).into_owned(),
                );
            }
            Some(Prepared::Forgotten(name)) => {
                self.prepared.remove(&name.to_lowercase());
            }
            None => {}
        }
        Ok(())
    }

    /// The statements that bring another session to where this one is; `None` where there is nothing to bring.
    pub(crate) async fn pack(&self, wire: &mut Wire) -> Result<Option<String>> {
        let mut statements = Vec::new();
        if !self.variables.is_empty() {
            let names: Vec<String> = self
                .variables
                .iter()
                .map(|name| format!("@{}", backticked(name)))
                .collect();
            let row = wire
                .raw_row(&format!("SELECT {}", names.join(", ")))
                .await
                .map_err(error::plain)?;
            let set: Vec<String> = names
                .iter()
                .zip(row.unwrap_or_default())
                .filter_map(|(name, (kind, value))| {
                    Some(format!("{name} = {}", written(kind, &value?)))
                })
                .collect();
            if !set.is_empty() {
                statements.push(format!("SET {}", set.join(", ")));
            }
        }
        for (name, text) in &self.prepared {
            statements.push(format!("SET {TEXT} = {}", literal(text)));
            statements.push(format!("PREPARE {} FROM {TEXT}", backticked(name)));
        }
        Ok((!statements.is_empty()).then(|| statements.join(";\n")))
    }

    /// Runs what [`pack`](Self::pack) wrote.
    pub(crate) async fn unpack(&mut self, wire: &mut Wire, keepsake: &str) -> Result<()> {
        let mut text = String::new();
        for statement in
            Splitter::new(keepsake.as_bytes(), DIALECT.syntax).map_while(|statement| statement.ok())
        {
            wire.execute(&statement.text).await.map_err(error::plain)?;
            if statement.text.starts_with(&format!("SET {TEXT}")) {
                let row = wire
                    .raw_row(&format!("SELECT {TEXT}"))
                    .await
                    .map_err(error::plain)?;
                let bytes = row
                    .and_then(|row| row.into_iter().next()?.1)
                    .unwrap_or_default();
                text = String::from_utf8_lossy(&bytes).into_owned();
            } else if let Some(Prepared::Variable(name, _)) = prepared(&statement.text) {
                self.prepared
                    .insert(name.to_lowercase(), std::mem::take(&mut text));
            }
        }
        Ok(())
    }
}

/// A value as SQL, of the same type.
fn written(kind: ValueKind, value: &[u8]) -> String {
    let hex = || {
        value.iter().fold("0x".to_owned(), |mut text, byte| {
            use std::fmt::Write;
            let _ = write!(text, "{byte:02x}");
            text
        })
    };
    match kind {
        ValueKind::Number => String::from_utf8_lossy(value).into_owned(),
        ValueKind::Text => match std::str::from_utf8(value) {
            Ok(text) => literal(text),
            Err(_) => hex(),
        },
        ValueKind::Bytes if value.is_empty() => "''".into(),
        ValueKind::Bytes => hex(),
    }
}
