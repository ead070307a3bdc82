//! Converts the rows of internal queries to text.

use std::fmt::Write;

use lockage_sql::Row;
use tiberius::ColumnData;

/// Converts a row. Its columns must have types that internal queries select.
pub(crate) fn row_texts(row: tiberius::Row) -> tiberius::Result<Row> {
    row.into_iter().map(value_text).collect()
}

fn value_text(value: ColumnData<'static>) -> tiberius::Result<Option<String>> {
    fn format_value(value: Option<impl ToString>) -> Option<String> {
        value.map(|value| value.to_string())
    }
    Ok(match value {
        ColumnData::U8(value) => format_value(value),
        ColumnData::I16(value) => format_value(value),
        ColumnData::I32(value) => format_value(value),
        ColumnData::I64(value) => format_value(value),
        ColumnData::F32(value) => format_value(value),
        ColumnData::F64(value) => format_value(value),
        ColumnData::Bit(value) => format_value(value.map(u8::from)),
        ColumnData::String(value) => format_value(value),
        ColumnData::Guid(value) => format_value(value),
        ColumnData::Numeric(value) => format_value(value),
        ColumnData::Binary(value) => value.map(|bytes| {
            bytes.iter().fold("0x".to_owned(), |mut out, byte| {
                let _ = write!(out, "{byte:02x}");
                out
            })
        }),
        _ => {
            return Err(tiberius::error::Error::Conversion(
                "a value has a type that internal queries do not select".into(),
            ));
        }
    })
}
