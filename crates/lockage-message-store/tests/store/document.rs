//! The tables of `docs/message-store.md`, read as a test reads them.

use std::collections::BTreeMap;

use lockage_testkit::Failure;

const MANUAL: &str = include_str!("../../../../docs/message-store.md");

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) null: bool,
    /// `0`, `false`, `now`, `generated`, or nothing.
    pub(crate) default: String,
    /// `primary`, or the table that it points to and what goes with it, or nothing.
    pub(crate) key: String,
}

/// Index, table, column and rows.
pub(crate) type Index = [String; 4];

#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) tables: BTreeMap<String, Vec<Column>>,
    pub(crate) indexes: Vec<Index>,
}

impl Document {
    pub(crate) fn read() -> Result<Self, Failure> {
        let mut tables: BTreeMap<String, Vec<Column>> = BTreeMap::new();
        let mut indexes = Vec::new();
        // The section, and in it the table.
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
                "docs/message-store.md tells of the tables {:?} and {} indexes",
                tables.keys(),
                indexes.len()
            )
            .into());
        }
        Ok(Self { tables, indexes })
    }

    /// With the identity of id and destination.
    pub(crate) fn by_destination(mut self) -> Self {
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
