//! The tables and indexes that `docs/message-store.md` documents.

use std::collections::BTreeMap;

use lockage_testkit::TestError;

const MANUAL: &str = include_str!("../../../../docs/message-store.md");

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) null: bool,
    /// `0`, `false`, `now`, `generated`, or nothing.
    pub(crate) default: String,
    /// `primary`, or the referenced table with its delete rule, or nothing.
    pub(crate) key: String,
}

/// Index, table, column and rows.
pub(crate) type Index = [String; 4];

#[derive(Debug)]
pub(crate) struct DocumentedSchema {
    pub(crate) tables: BTreeMap<String, Vec<Column>>,
    pub(crate) indexes: Vec<Index>,
}

impl DocumentedSchema {
    pub(crate) fn read() -> Result<Self, TestError> {
        let mut tables: BTreeMap<String, Vec<Column>> = BTreeMap::new();
        let mut indexes = Vec::new();
        // The current section and the table that it describes.
        let (mut section, mut table_name) = ("", None);
        for line in MANUAL.lines() {
            if let Some(title) = line.strip_prefix("### ") {
                table_name = Some(title);
            } else if let Some(title) = line.strip_prefix("## ") {
                (section, table_name) = (title, None);
            }
            let cells: Vec<String> = line
                .trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().to_owned())
                .collect();
            if !line.starts_with('|') || line.starts_with("|---") {
                continue;
            }
            match (table_name, cells.as_slice()) {
                (None, [index, table, column, rows])
                    if section == "Indexes" && index != "index" =>
                {
                    indexes.push([index, table, column, rows].map(String::clone));
                }
                (Some(table), [name, kind, null, default, key]) if name != "column" => {
                    tables.entry(table.to_owned()).or_default().push(Column {
                        name: name.clone(),
                        kind: kind.clone(),
                        null: null == "yes",
                        default: default.clone(),
                        key: key.clone(),
                    });
                }
                _ => {}
            }
        }
        if tables.len() != 9 || indexes.is_empty() {
            return Err(format!(
                "docs/message-store.md documents the tables {:?} and {} indexes",
                tables.keys(),
                indexes.len()
            )
            .into());
        }
        Ok(Self { tables, indexes })
    }

    /// Changes the primary key to that of the identity of id and destination.
    pub(crate) fn with_destination_key(mut self) -> Self {
        let incoming = self.tables.entry("incoming_envelopes".into()).or_default();
        for column in incoming {
            if column.name == "received_at" {
                column.null = false;
                column.key = "primary".into();
            }
        }
        self
    }
}
