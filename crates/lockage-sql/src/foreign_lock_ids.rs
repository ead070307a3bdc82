//! The lock ids of other migration tools that several engines share.
//!
//! The values are contracts of those tools; the tests compare them with numbers that the tools compute.

use lockage_core::FoundTable;

use crate::command::Row;

/// The factor of sqlx: `sqlx-postgres/src/migrate.rs`, `generate_lock_id`.
const SQLX_FACTOR: i64 = 0x3d32_ad9e;

/// The factor of Rails: `MIGRATOR_SALT` of Active Record.
const RAILS_FACTOR: i64 = 2_053_462_845;

/// The factor of golang-migrate: `advisoryLockIDSalt` in `database/util.go`.
const GOLANG_MIGRATE_FACTOR: u32 = 1_486_364_155;

/// Returns the lock id of sqlx for a database.
pub fn sqlx_lock_id(database: &str) -> i64 {
    SQLX_FACTOR.wrapping_mul(crc32(database).into())
}

/// Returns the lock id of Rails for a database.
pub fn rails_lock_id(database: &str) -> i64 {
    RAILS_FACTOR.wrapping_mul(crc32(database).into())
}

/// Returns the lock id of sqlx_migrator for a database, with its default table.
pub fn sqlx_migrator_lock_id(database: &str) -> u32 {
    crc32(&format!("{database}/_sqlx_migrator_migrations"))
}

/// Returns the lock id of golang-migrate for the text that identifies a database.
pub fn golang_migrate_lock_id(text: &str) -> u32 {
    crc32(text).wrapping_mul(GOLANG_MIGRATE_FACTOR)
}

/// Returns Java's `String.hashCode`, from which Flyway computes its lock ids.
pub fn java_string_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(unit.into())
    })
}

/// Groups rows of schema, table and column, sorted by the first two, into tables.
pub fn group_tables(rows: impl IntoIterator<Item = Row>) -> Vec<FoundTable> {
    let mut tables: Vec<FoundTable> = Vec::new();
    for row in rows {
        let mut columns = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || columns.next().unwrap_or_default();
        let (schema, name, column) = (next(), next(), next());
        match tables.last_mut() {
            Some(last) if last.schema == schema && last.name == name => last.columns.push(column),
            _ => tables.push(FoundTable::new(schema, name, vec![column])),
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
    fn lock_ids_match_those_of_the_tools() {
        assert_eq!(sqlx_lock_id("mydb"), 293_176_876_009_260_204);
        assert_eq!(rails_lock_id("mydb"), 586_353_752_304_064_290);
        // python3 -c 'import zlib; print(zlib.crc32(b"mydb/_sqlx_migrator_migrations"))'
        assert_eq!(sqlx_migrator_lock_id("mydb"), 3_698_122_729);
        assert_eq!(golang_migrate_lock_id("database_name"), 1_764_327_054);
        assert_eq!(
            golang_migrate_lock_id("schema_name_1\0database_name"),
            2_453_313_553
        );
        assert_eq!(
            java_string_hash("`mydb`.`flyway_schema_history`"),
            278_632_207
        );
        assert_eq!(
            java_string_hash("[mydb].[dbo].[flyway_schema_history]"),
            -804_152_094
        );
    }
}
