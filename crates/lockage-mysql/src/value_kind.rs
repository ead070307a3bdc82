//! The kind of a column's values, which decides how a value is written as SQL.

use mysql_async::Column;
use mysql_async::consts::{ColumnFlags, ColumnType};

/// The number of the character set of columns that hold bytes.
const BINARY: u16 = 63;

/// The kind of a value, in enough detail to write it as SQL of the same type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueKind {
    Number,
    Text,
    Bytes,
}

impl ValueKind {
    /// Returns the kind of a column's values.
    pub(crate) fn of(column: &Column) -> Self {
        use ColumnType::{
            MYSQL_TYPE_DECIMAL, MYSQL_TYPE_DOUBLE, MYSQL_TYPE_FLOAT, MYSQL_TYPE_INT24,
            MYSQL_TYPE_LONG, MYSQL_TYPE_LONGLONG, MYSQL_TYPE_NEWDECIMAL, MYSQL_TYPE_SHORT,
            MYSQL_TYPE_TINY, MYSQL_TYPE_YEAR,
        };
        match column.column_type() {
            MYSQL_TYPE_DECIMAL
            | MYSQL_TYPE_DOUBLE
            | MYSQL_TYPE_FLOAT
            | MYSQL_TYPE_INT24
            | MYSQL_TYPE_LONG
            | MYSQL_TYPE_LONGLONG
            | MYSQL_TYPE_NEWDECIMAL
            | MYSQL_TYPE_SHORT
            | MYSQL_TYPE_TINY
            | MYSQL_TYPE_YEAR => Self::Number,
            _ if column.character_set() == BINARY
                && column.flags().contains(ColumnFlags::BINARY_FLAG) =>
            {
                Self::Bytes
            }
            _ => Self::Text,
        }
    }
}
