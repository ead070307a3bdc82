//! Values as text.

use std::fmt::Write;

use lockage_sql::Row;
use tiberius::ColumnData;

/// A row whose values are of the types that our own queries ask for.
pub(crate) fn texts(row: tiberius::Row) -> tiberius::Result<Row> {
    row.into_iter().map(text).collect()
}

fn text(value: ColumnData<'static>) -> tiberius::Result<Option<String>> {
    fn shown(value: Option<impl ToString>) -> Option<String> {
        value.map(|value| value.to_string())
    }
    Ok(match value {
        ColumnData::U8(value) => shown(value),
        ColumnData::I16(value) => shown(value),
        ColumnData::I32(value) => shown(value),
        ColumnData::I64(value) => shown(value),
        ColumnData::F32(value) => shown(value),
        ColumnData::F64(value) => shown(value),
        ColumnData::Bit(value) => shown(value.map(u8::from)),
        ColumnData::String(value) => shown(value),
        ColumnData::Guid(value) => shown(value),
        ColumnData::Numeric(value) => shown(value),
        ColumnData::Binary(value) => value.map(|bytes| {
            bytes.iter().fold("0x".to_owned(), |mut out, byte| {
                let _ = write!(out, "{byte:02x}");
                out
            })
        }),
        _ => {
            return Err(tiberius::error::Error::Conversion(
                "a value of a type that is not read here".into(),
            ));
        }
    })
}
