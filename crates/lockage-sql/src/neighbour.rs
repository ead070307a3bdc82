//! What is the same on several engines of other tools' locks: their arithmetic, and their tables.

use lockage_core::FoundTable;

use crate::Row;

/// The salt that sqlx multiplies a database's checksum with.
const SQLX: i64 = 0x3d32_ad9e;

/// The salt of Rails.
const RAILS: i64 = 2_053_462_845;

/// The salt of golang-migrate.
const GOLANG_MIGRATE: u32 = 1_486_364_155;

/// The number that sqlx locks for a database.
pub fn sqlx(database: &str) -> i64 {
    SQLX.wrapping_mul(crc32(database).into())
}

/// The number that Rails locks for a database.
pub fn rails(database: &str) -> i64 {
    RAILS.wrapping_mul(crc32(database).into())
}

/// The number that sqlx_migrator locks for a database, with its default table.
pub fn sqlx_migrator(database: &str) -> u32 {
    crc32(&format!("{database}/_sqlx_migrator_migrations"))
}

/// The number that golang-migrate makes of the text by which it tells databases apart.
pub fn golang_migrate(text: &str) -> u32 {
    crc32(text).wrapping_mul(GOLANG_MIGRATE)
}

/// What `String.hashCode` is in Java: the heart of Flyway's locks.
pub fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(unit.into())
    })
}

/// Puts rows of schema, table and column, sorted by the first two, together to tables.
pub fn find_tables(rows: impl IntoIterator<Item = Row>) -> Vec<FoundTable> {
    let mut tables: Vec<FoundTable> = Vec::new();
    for row in rows {
        let mut columns = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || columns.next().unwrap_or_default();
        let (schema, name, column) = (next(), next(), next());
        match tables.last_mut() {
            Some(last) if last.schema == schema && last.name == name => last.columns.push(column),
            _ => tables.push(FoundTable {
                schema,
                name,
                columns: vec![column],
            }),
        }
    }
    tables
}

fn crc32(text: &str) -> u32 {
    crc32fast::hash(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_tools() {
        assert_eq!(sqlx("mydb"), 293_176_876_009_260_204);
        assert_eq!(rails("mydb"), 586_353_752_304_064_290);
        // python3 -c 'import zlib; print(zlib.crc32(b"mydb/_sqlx_migrator_migrations"))'
        assert_eq!(sqlx_migrator("mydb"), 3_698_122_729);
        assert_eq!(golang_migrate("database_name"), 1_764_327_054);
        assert_eq!(
            golang_migrate("schema_name_1\0database_name"),
            2_453_313_553
        );
        assert_eq!(java_hash("`mydb`.`flyway_schema_history`"), 278_632_207);
        assert_eq!(
            java_hash("[mydb].[dbo].[flyway_schema_history]"),
            -804_152_094
        );
    }
}
